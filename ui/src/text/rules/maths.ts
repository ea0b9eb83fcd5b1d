import type { MarkdownIt, StateBlock, StateInline } from 'markdown-it';

// Formulas: \(...\) and $...$ in a line, \[...\] and $$...$$ by themselves. Prices are no formulas.
// Whether a line begins a formula never depends on a later line, so that text which comes in pieces
// has the same blocks as all of it: a formula that is not closed is a paragraph in its place.
export const LONGEST = 4096;

export interface Formula {
  tex: string;
  source: string;
  display: boolean;
}

export function mathsRules(md: MarkdownIt): void {
  md.inline.ruler.before('escape', 'maths_brackets', brackets);
  md.inline.ruler.after('escape', 'maths_dollars', dollars);
  md.block.ruler.before('fence', 'maths_block', block, {
    alt: ['paragraph', 'reference', 'blockquote', 'list'],
  });
}

function push(state: StateInline, formula: Formula, silent: boolean): boolean {
  if (!silent) state.push('formula', '', 0).meta = { formula };
  state.pos += formula.source.length;
  return true;
}

// A formula between `open` and `close` at this place of the line, if there is one.
function between(state: StateInline, open: string, close: string): Formula | undefined {
  const from = state.pos + open.length;
  const to = state.src.slice(from, Math.min(state.posMax, from + LONGEST + close.length)).indexOf(close);
  if (to < 0) return undefined;
  const tex = state.src.slice(from, from + to);
  if (tex.trim() === '' || tex.includes('`')) return undefined;
  const source = state.src.slice(state.pos, from + to + close.length);
  return { tex, source, display: open !== '\\(' };
}

function brackets(state: StateInline, silent: boolean): boolean {
  if (state.src[state.pos] !== '\\') return false;
  const next = state.src[state.pos + 1];
  if (next !== '(' && next !== '[') return false;
  const formula = next === '(' ? between(state, '\\(', '\\)') : between(state, '\\[', '\\]');
  return formula ? push(state, formula, silent) : false;
}

const NUMBER = /^[\d\s.,:%+-]*$/;

function dollars(state: StateInline, silent: boolean): boolean {
  if (state.src[state.pos] !== '$') return false;
  if (state.src[state.pos + 1] === '$') {
    const formula = between(state, '$$', '$$');
    if (formula) return push(state, formula, silent);
    if (!silent) state.pending += '$$';
    state.pos += 2;
    return true;
  }
  const formula = price(state) ? undefined : between(state, '$', '$');
  if (!formula || !closedWell(state, formula)) return false;
  return push(state, { ...formula, display: false }, silent);
}

// US$5, or a dollar before a blank.
function price(state: StateInline): boolean {
  const before = state.src[state.pos - 1] ?? '';
  return /[\dA-Za-z$]/.test(before) || /\s|^$/.test(state.src[state.pos + 1] ?? '');
}

function closedWell(state: StateInline, { tex, source }: Formula): boolean {
  const after = state.src[state.pos + source.length] ?? '';
  if (/\s$|\\$/.test(tex) || tex.includes('\n')) return false;
  return !/[\d$]/.test(after) && !NUMBER.test(tex);
}

function block(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if ((state.sCount[start] ?? 0) - state.blkIndent >= 4) return false;
  const first = lineOf(state, start);
  const open = first.startsWith('$$') ? '$$' : first.startsWith('\\[') ? '\\[' : '';
  if (open === '') return false;
  const close = open === '$$' ? '$$' : '\\]';
  const behind = first.slice(2).trimEnd();
  const closedAt = behind.indexOf(close);
  if (closedAt >= 0 && closedAt !== behind.length - 2) return false; // words follow in the line
  // In $$ the first line is empty or begins a command: "$$ is what they want" is a sentence.
  if (closedAt < 0 && open === '$$' && !/^\s*(\\|$)/.test(behind)) return false;
  if (silent) return true;

  let next = start + 1;
  let tex = closedAt >= 0 ? behind.slice(0, -2) : behind;
  let closed = closedAt >= 0;
  for (; !closed && next < end; ++next) {
    const line = lineOf(state, next).trimEnd();
    if (line === '' || (state.sCount[next] ?? 0) < state.blkIndent) break;
    closed = line.endsWith(close);
    tex += '\n' + (closed ? line.slice(0, -2) : line);
  }
  const source = state.getLines(start, next, state.blkIndent, false).trim();
  state.line = next;
  if (closed && tex.trim() !== '' && tex.length <= LONGEST) {
    const token = state.push('formula', '', 0);
    token.meta = { formula: { tex, source, display: true } satisfies Formula };
    token.map = [start, next];
    return true;
  }
  state.push('paragraph_open', 'p', 1).map = [start, next];
  const inline = state.push('inline', '', 0);
  inline.content = source;
  inline.map = [start, next];
  inline.children = [];
  state.push('paragraph_close', 'p', -1);
  return true;
}

function lineOf(state: StateBlock, line: number): string {
  const from = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
  return state.src.slice(from, state.eMarks[line]);
}
