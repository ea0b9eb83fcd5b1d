import { element, pushText, textOf, type TextNode } from './nodes';

// A line as long as a book is laid out anew with each letter, and painted whole; so is a block of ten
// thousand lines. So long text stands in boxes, each laid out by itself, which end where a line does,
// or anywhere where none does. Where they end depends on the text alone, and the last one, which may
// grow, is none yet.
const SHORTEST = 4096;
const LONGEST = 8192;

export function inBoxes(nodes: readonly TextNode[]): TextNode[] {
  const done: TextNode[] = [];
  let group: TextNode[] = [];
  let length = 0;
  const close = (): void => {
    done.push(element('span', group, { class: 'tx-run' }));
    group = [];
    length = 0;
  };
  for (const node of nodes) {
    if (typeof node !== 'string') {
      group.push(node);
      length += textOf([node]).length;
      continue;
    }
    let from = 0;
    while (from < node.length) {
      const to = end(node, from, length);
      pushText(group, node.slice(from, to < 0 ? undefined : to));
      if (to < 0) {
        length += node.length - from;
        break;
      }
      close();
      from = to;
    }
  }
  return [...done, ...group];
}

// Where the box ends of which `length` stand before `from`, or -1 where it does not end in this text.
function end(text: string, from: number, length: number): number {
  const line = text.indexOf('\n', from + Math.max(0, SHORTEST - length));
  const most = from + Math.max(1, LONGEST - length);
  if (line >= 0 && line < most) return line + 1;
  if (text.length <= most) return -1;
  const code = text.charCodeAt(most - 1);
  return most + (code >= 0xd800 && code < 0xdc00 ? 1 : 0);
}

export function isBox(node: TextNode): boolean {
  return typeof node !== 'string' && node.kind === 'element' && node.attrs.class === 'tx-run';
}
