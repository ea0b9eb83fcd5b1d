import { buildBlocks, languageOf, withoutLastBreak } from './build';
import { InlineMemo } from './inline';
import { parseBlocks, type References } from './markdown';
import type { TextNode } from './nodes';

// Markdown that comes in pieces. Only the tail is parsed anew: what stands before the last two
// blocks cannot be changed by what follows, except by the address of a link that is defined later.
// An open fence is not parsed at all until a line closes it.
export interface Change {
  kept: number; // so many blocks are as they were
  blocks: TextNode[]; // and these follow
}

interface Fence {
  from: number; // where its content begins
  read: number; // lines before this are in `content`
  content: string;
  language: string;
  indent: number;
  closing: RegExp;
}

export class TextStream {
  private text = '';
  private carried = ''; // half of a character or of a line's end
  private settled = 0; // blocks that stay
  private shown = 0; // of them, those that show something
  private tailAt = 0; // where the text behind them begins
  private tailShown = 0; // and how many blocks of it show something
  private references: References = {}; // of what is settled
  private known: References = {}; // and of the tail as it was last seen
  private defined = false;
  private fence: Fence | undefined;
  private readonly memo = new InlineMemo();

  // More text; what changed by it.
  append(piece: string): Change {
    this.take(piece);
    if (this.fence) {
      const change = this.growFence(this.fence);
      if (change) return change;
    }
    return this.parse(Math.max(this.tailAt, this.text.length - heldBack(this.text)), false);
  }

  // Nothing follows. `whole` parses all of it again where that could make a difference.
  finish(): Change {
    this.take('', true);
    return this.parse(this.text.length, true);
  }

  // Whether blocks that stand already might be other ones, now that all definitions are known.
  needsWhole(): boolean {
    return this.defined && this.settled > 0;
  }

  whole(): Change {
    this.settled = this.shown = this.tailAt = 0;
    this.references = {};
    return this.parse(this.text.length, true);
  }

  private take(piece: string, last = false): void {
    let more = this.carried + piece;
    this.carried = '';
    if (!last && more !== '') {
      const code = more.charCodeAt(more.length - 1);
      if (code === 13 || (code >= 0xd800 && code < 0xdc00)) {
        this.carried = more.slice(-1);
        more = more.slice(0, -1);
      }
    }
    this.text += more.replace(/\r\n?/g, '\n').replace(/\0/g, '\ufffd');
  }

  private parse(end: number, ended: boolean): Change {
    this.fence = undefined;
    const tail = this.text.slice(this.tailAt, end);
    this.known = { ...this.references };
    const tokens = parseBlocks(tail, this.known);
    const blocks = buildBlocks(tokens, this.memo.with(this.known));
    this.defined ||= blocks.some(({ defines }) => defines.length > 0);

    const kept = this.shown;
    const starts = lineStarts(tail, blocks.map(({ lines }) => lines[0]));
    const last = blocks[blocks.length - 1];
    const fenceFrom = this.tailAt + (starts[starts.length - 1] ?? 0);
    const settle = ended ? 0 : Math.max(0, blocks.length - 2);
    for (const { node, defines } of blocks.slice(0, settle)) {
      ++this.settled;
      if (node !== undefined) ++this.shown;
      for (const label of defines) {
        const definition = this.known[label];
        if (definition) this.references[label] ??= definition;
      }
    }
    this.tailAt += starts[settle] ?? 0;
    this.tailShown = blocks.slice(settle).filter(({ node }) => node !== undefined).length;
    if (!ended && last?.node && typeof last.node !== 'string' && last.node.kind === 'code' && !last.node.closed) {
      this.openFence(fenceFrom);
      last.node = (this.fence && this.growFence(this.fence)?.blocks[0]) ?? last.node;
    }
    return { kept, blocks: blocks.flatMap(({ node }) => (node === undefined ? [] : [node])) };
  }

  private openFence(at: number): void {
    const first = /^( {0,3})(`{3,}|~{3,})([^\n]*)\n/.exec(this.text.slice(at, at + 4096));
    if (!first) return;
    const [line, indent = '', marks = '', info = ''] = first;
    const from = at + line.length;
    this.fence = {
      from,
      read: from,
      content: '',
      language: languageOf(info),
      indent: indent.length,
      closing: new RegExp(`^ {0,3}${marks[0]}{${marks.length},}[ \\t]*$`),
    };
  }

  // The code so far, or nothing where the fence was closed.
  private growFence(fence: Fence): Change | undefined {
    for (;;) {
      const end = this.text.indexOf('\n', fence.read);
      if (end < 0) break;
      const line = this.text.slice(fence.read, end);
      if (fence.closing.test(line)) return undefined;
      fence.content += dedented(line, fence.indent) + '\n';
      fence.read = end + 1;
    }
    const partial = this.text.slice(fence.read);
    const held = /^ {0,3}[`~]*[ \t]*$/.test(partial);
    const text = held ? withoutLastBreak(fence.content) : fence.content + dedented(partial, fence.indent);
    const kept = this.shown + this.tailShown - 1;
    const node: TextNode = { kind: 'code', language: fence.language, text, closed: false };
    return { kept, blocks: [node] };
  }
}

// Where each of these lines begins; they come in order.
function lineStarts(text: string, lines: number[]): number[] {
  const starts: number[] = [];
  let at = 0;
  let line = 0;
  for (const wanted of lines) {
    for (; line < wanted; ++line) at = text.indexOf('\n', at) + 1;
    starts.push(at);
  }
  return starts;
}

function dedented(line: string, most: number): string {
  let at = 0;
  while (at < most && line[at] === ' ') ++at;
  return line.slice(at);
}

// How much of the end does not show yet, since the next character may make something else of it:
// a line that may become a heading, a list or a fence, a mark of emphasis, a link in the middle.
const HELD = [
  /(^|\n)[ \t]*(?:[-=*_#`~|:>+$\\ \t]+|\d{1,9}[.)]?[ \t]*)$/,
  /(^|\n)[ \t]*(?:`{3,}|~{3,})[^\n]*$/,
  /()[*_`~$\\]{1,3}$/,
  /()!?\[[^\][\n]{0,200}\](?:\([^()\s]{0,2000})?$/,
];

function heldBack(text: string): number {
  const end = text.slice(-2400);
  const line = end.slice(Math.max(0, end.lastIndexOf('\n')));
  for (const pattern of HELD) {
    const found = pattern.exec(line);
    if (found) return found[0].length - (found[1]?.length ?? 0);
  }
  return 0;
}
