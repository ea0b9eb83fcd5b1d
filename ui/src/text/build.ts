import { revealed } from './controls';
import { link } from './links';
import type { Token } from './markdown';
import { element, pushText, type Tag, type TableSource, type TextNode } from './nodes';
import type { Formula } from './rules/maths';
import { cells } from './rules/table';

// Tokens to nodes, through a table of what is allowed: what is not named here cannot appear.
const BLOCKS: Record<string, Tag> = {
  paragraph: 'p', blockquote: 'blockquote', bullet_list: 'ul', ordered_list: 'ol', list_item: 'li',
};
const INLINES: Record<string, Tag> = { em: 'em', strong: 'strong', s: 'del' };
// A turn has a heading of its own above these.
const HEADINGS: Record<string, Tag> = { h1: 'h3', h2: 'h4', h3: 'h5', h4: 'h6', h5: 'h6', h6: 'h6' };
// Deeper than this emphasis is text: a page thousands of elements deep stops the browser.
const DEEPEST = 30;

export type Inline = (source: string) => TextNode[];

// One block that stands in no other. `lines` are those of the text that was parsed.
export interface Block {
  lines: [number, number];
  node: TextNode | undefined; // a definition of a link's address shows nothing
  defines: string[]; // labels of such definitions
}

export function buildBlocks(tokens: Token[], inline: Inline): Block[] {
  const blocks: Block[] = [];
  for (let from = 0; from < tokens.length; ) {
    const first = tokens[from]!;
    let to = from + 1;
    if (first.nesting === 1) {
      while (to < tokens.length && !(tokens[to - 1]!.nesting === -1 && tokens[to - 1]!.level === 0)) ++to;
    }
    const part = tokens.slice(from, to);
    const node = buildNodes(part, inline)[0];
    if (node && typeof node !== 'string' && node.kind === 'element') node.attrs.dir = 'auto';
    const defines = part
      .filter((token) => token.type === 'reference_definition')
      .map((token) => String(token.meta?.label));
    blocks.push({ lines: first.map ?? [0, 0], node, defines });
    from = to;
  }
  return blocks;
}

function buildNodes(tokens: Token[], inline: Inline): TextNode[] {
  const root: TextNode[] = [];
  const open: TextNode[][] = [root];
  for (const token of tokens) {
    const kids = open[open.length - 1]!;
    if (token.type === 'inline') {
      addAll(kids, inline(token.content));
    } else if (token.nesting === 1) {
      if (token.hidden) {
        open.push(kids); // the items of a dense list have no paragraphs of their own
        continue;
      }
      const made = element(tagOf(token), []);
      if (token.type === 'heading_open') made.attrs.class = `tx-${token.tag}`;
      const start = token.attrGet('start');
      if (start !== null) made.attrs.start = String(start);
      kids.push(made);
      open.push(made.kids);
    } else if (token.nesting === -1) {
      open.pop();
    } else {
      const leaf = blockLeaf(token, inline);
      if (leaf) kids.push(leaf);
    }
  }
  return root;
}

function tagOf(token: Token): Tag {
  if (token.type === 'heading_open') return HEADINGS[token.tag] ?? 'h6';
  return BLOCKS[token.type.slice(0, -'_open'.length)] ?? 'div';
}

const IN_LINE = new Set<Tag>(['a', 'br', 'code', 'del', 'em', 'span', 'strong']);

function addAll(kids: TextNode[], more: TextNode[]): void {
  // Items of dense lists have no paragraphs; two that would have met are parted by a line.
  const last = kids[kids.length - 1];
  const inLine = typeof last === 'string' || (last?.kind === 'element' && IN_LINE.has(last.tag));
  if (inLine) kids.push(element('br', []));
  for (const node of more) kids.push(node);
}

function blockLeaf(token: Token, inline: Inline): TextNode | undefined {
  switch (token.type) {
    case 'hr':
      return element('hr', []);
    case 'fence':
    case 'code_block':
      return {
        kind: 'code',
        language: languageOf(token.info),
        text: withoutLastBreak(token.content),
        closed: token.type === 'code_block' || fenceClosed(token),
      };
    case 'formula':
      return { kind: 'formula', ...(token.meta?.formula as Formula) };
    case 'whole_table':
      return tableBox(token.meta?.table as TableSource, inline);
    case 'plain': {
      const kids: TextNode[] = [];
      pushText(kids, token.content);
      return element('p', kids, { class: 'tx-plain' });
    }
    default:
      return undefined;
  }
}

export function withoutLastBreak(text: string): string {
  return text.endsWith('\n') ? text.slice(0, -1) : text;
}

// "```c++ title=x" and "```{.python}" name a language in their first word.
export function languageOf(info: string): string {
  return (/^[\s{.]*([^\s{},]*)/.exec(info)?.[1] ?? '').slice(0, 40);
}

// A fence that was closed has one line more than its first one and its content.
export function fenceClosed(token: Token): boolean {
  const [from, to] = token.map ?? [0, 0];
  let lines = token.content === '' || token.content.endsWith('\n') ? 0 : 1;
  for (let at = token.content.indexOf('\n'); at >= 0; at = token.content.indexOf('\n', at + 1)) ++lines;
  return to - from > lines + 1;
}

export function buildTable(source: TableSource, inline: Inline): TextNode {
  const { align, header, lines, rows, columns } = source;
  const cell = (tag: 'td' | 'th', text: string, column: number): TextNode => {
    const made = element(tag, inline(text));
    if (align[column]) made.attrs.class = `tx-${align[column]}`;
    if (tag === 'th') made.attrs.scope = 'col';
    return made;
  };
  const row = (line: string): TextNode => {
    const texts = cells(line, columns);
    const kids = header.slice(0, columns).map((_, column) => cell('td', texts[column] ?? '', column));
    return element('tr', kids);
  };
  const head = element('tr', header.slice(0, columns).map((text, column) => cell('th', text, column)));
  return element('table', [element('thead', [head]), element('tbody', lines.slice(0, rows).map(row))]);
}

function tableBox(source: TableSource, inline: Inline): TextNode {
  const scroll = element('div', [buildTable(source, inline)], { class: 'tx-scroll' });
  if (source.rows === source.lines.length && source.columns === source.allColumns) return scroll;
  return element('div', [scroll, { kind: 'rest', table: source }]);
}

export function buildInline(tokens: Token[]): TextNode[] {
  const root: TextNode[] = [];
  const open: { kids: TextNode[]; href: string | undefined }[] = [{ kids: root, href: undefined }];
  let tooDeep = 0;
  for (const token of tokens) {
    const { kids } = open[open.length - 1]!;
    if (token.nesting === 1) {
      if (open.length > DEEPEST) ++tooDeep;
      else open.push({ kids: [], href: token.attrGet('href')?.toString() });
    } else if (token.nesting === -1) {
      if (tooDeep > 0) {
        --tooDeep;
        continue;
      }
      const { kids: inner, href } = open.pop()!;
      const outer = open[open.length - 1]!.kids;
      const tag = INLINES[token.type.slice(0, -'_close'.length)];
      if (href !== undefined) outer.push(link(href, inner));
      else outer.push(element(tag ?? 'span', inner));
    } else {
      inlineLeaf(token, kids);
    }
  }
  return root;
}

function inlineLeaf(token: Token, kids: TextNode[]): void {
  switch (token.type) {
    case 'text':
      pushText(kids, token.content);
      break;
    case 'softbreak':
    case 'hardbreak':
      kids.push(element('br', []));
      break;
    case 'code_inline':
      kids.push(element('code', revealed(token.content), { dir: 'ltr' }));
      break;
    case 'formula':
      kids.push({ kind: 'formula', ...(token.meta?.formula as Formula) });
      break;
    case 'image':
      kids.push({ kind: 'image', alt: token.content, address: String(token.attrGet('src') ?? '') });
      break;
    default:
      pushText(kids, token.content);
  }
}
