import type { MarkdownIt, StateBlock } from 'markdown-it';

// Lists and quotes nest to thirty and no deeper: what is deeper is shown as it was written. The
// parser's own bound would leave it out without a word.
const DEEPEST = 60; // levels of tokens: a list takes two of them, a quote one

export function deepRule(md: MarkdownIt): void {
  md.block.ruler.before('table', 'deep', deep, { alt: [] });
}

function deep(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if (state.level < DEEPEST || silent) return false;
  const token = state.push('plain', 'p', 0);
  token.content = state.getLines(start, end, state.blkIndent, false);
  token.map = [start, end];
  state.line = end;
  return true;
}
