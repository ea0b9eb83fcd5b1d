import type { MarkdownIt, StateBlock } from 'markdown-it';
import type { Align, TableSource } from '../nodes';

// GitHub's tables, as one token each. The parser's own rule makes three tokens for a cell before
// anybody can say that there are too many: 2,000 rows of 200 columns took 850 ms. Here rows above
// what is drawn are not taken apart at all.
const COLUMNS = 64;
const ROWS = 500;
const CELLS = 10_000;

const DELIMITERS = /^\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?$/;

export function tableRule(md: MarkdownIt): void {
  md.block.ruler.at('table', table, { alt: ['paragraph', 'reference'] });
}

function lineOf(state: StateBlock, line: number): string {
  const from = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
  return state.src.slice(from, state.eMarks[line]).trimEnd();
}

// Deeper than the block it would belong to is code, less deep is outside of it.
function misplaced(state: StateBlock, line: number): boolean {
  const indent = (state.sCount[line] ?? 0) - state.blkIndent;
  return indent < 0 || indent >= 4;
}

function table(state: StateBlock, start: number, end: number, silent: boolean): boolean {
  if (start + 2 > end || misplaced(state, start) || misplaced(state, start + 1)) return false;
  const delimiters = lineOf(state, start + 1);
  if (!delimiters.includes('|') || !DELIMITERS.test(delimiters)) return false;
  const first = lineOf(state, start);
  if (!first.includes('|')) return false;
  const align = cells(delimiters, Infinity).map(alignment);
  const header = cells(first, Infinity);
  if (header.length !== align.length) return false;
  if (silent) return true;

  const terminators = state.md.block.ruler.getRules('blockquote');
  const before = state.parentType;
  state.parentType = 'table';
  const lines: string[] = [];
  let next = start + 2;
  for (; next < end; ++next) {
    const line = lineOf(state, next);
    if (line === '' || misplaced(state, next)) break;
    if (terminators.some((rule) => rule(state, next, end, true))) break;
    lines.push(line);
  }
  state.parentType = before;

  const columns = Math.min(COLUMNS, header.length);
  const token = state.push('whole_table', 'table', 0);
  token.map = [start, next];
  const source: TableSource = {
    align,
    header,
    lines,
    rows: Math.min(lines.length, ROWS, Math.floor(CELLS / columns)),
    columns,
    allColumns: header.length,
  };
  token.meta = { table: source };
  state.line = next;
  return true;
}

function alignment(cell: string): Align {
  if (cell.startsWith(':')) return cell.endsWith(':') && cell.length > 1 ? 'center' : 'left';
  return cell.endsWith(':') ? 'right' : '';
}

// The first `most` cells of a row. A bar behind a backslash is text, in code too.
export function cells(line: string, most: number): string[] {
  const found: string[] = [];
  let cell = '';
  let from = line.startsWith('|') ? 1 : 0;
  for (let at = from; at <= line.length && found.length < most; ++at) {
    if (at === line.length) {
      const rest = cell + line.slice(from);
      if (rest !== '' || !line.endsWith('|') || found.length === 0) found.push(rest.trim());
    } else if (line[at] === '|') {
      if (line[at - 1] === '\\') {
        cell += line.slice(from, at - 1) + '|';
      } else {
        found.push((cell + line.slice(from, at)).trim());
        cell = '';
      }
      from = at + 1;
    }
  }
  return found;
}
