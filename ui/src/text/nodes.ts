// What an answer looks like before it is in the page: plain values, so that parsing can be tried
// without a browser and two parses compared. `patch.ts` makes them real.
export interface ElementNode {
  kind: 'element';
  tag: Tag;
  attrs: Attributes;
  kids: TextNode[];
}
export interface CodeNode {
  kind: 'code';
  language: string; // the first word behind the fence, not trusted
  text: string;
  closed: boolean; // nothing will be added
}
export interface FormulaNode {
  kind: 'formula';
  tex: string;
  source: string; // with its delimiters: what is shown until it is drawn, and where it cannot be
  display: boolean;
}
export interface ImageNode {
  kind: 'image';
  alt: string;
  address: string;
}
// Rows and columns of a table above what is drawn at once.
export interface RestNode {
  kind: 'rest';
  table: TableSource;
}
export type TextNode = string | ElementNode | CodeNode | FormulaNode | ImageNode | RestNode;

export interface TableSource {
  align: Align[];
  header: string[];
  lines: string[]; // the body as it was written
  rows: number; // of these, how many are drawn at once
  columns: number; // and how many columns
  allColumns: number;
}
export type Align = '' | 'left' | 'center' | 'right';

// The only elements that text of a model can become.
export type Tag =
  | 'a' | 'blockquote' | 'br' | 'code' | 'del' | 'div' | 'em' | 'h3' | 'h4' | 'h5' | 'h6' | 'hr' | 'li'
  | 'ol' | 'p' | 'span' | 'strong' | 'table' | 'tbody' | 'td' | 'th' | 'thead' | 'tr' | 'ul';
// And the only attributes; `class` is ours, never the model's.
export type Attributes = Partial<
  Record<'class' | 'dir' | 'href' | 'rel' | 'scope' | 'start' | 'target' | 'title', string>
>;

export function element(tag: Tag, kids: TextNode[], attrs: Attributes = {}): ElementNode {
  return { kind: 'element', tag, attrs, kids };
}

// A text node costs its whole length when it grows, so long runs are several. The cuts depend on
// the text alone, and never part the halves of a character.
const RUN = 8192;

export function pushText(kids: TextNode[], text: string): void {
  const last = kids[kids.length - 1];
  if (typeof last === 'string' && last.length < RUN) {
    kids.pop();
    text = last + text;
  }
  let from = 0;
  while (text.length - from > RUN) {
    const code = text.charCodeAt(from + RUN - 1);
    const to = from + RUN + (code >= 0xd800 && code < 0xdc00 ? 1 : 0);
    kids.push(text.slice(from, to));
    from = to;
  }
  if (from < text.length) kids.push(text.slice(from));
}

// What a reader sees of `nodes`, for names and comparisons.
export function textOf(nodes: readonly TextNode[]): string {
  return nodes
    .map((node) => {
      if (typeof node === 'string') return node;
      if (node.kind === 'element') return node.tag === 'br' ? '\n' : textOf(node.kids);
      if (node.kind === 'code') return node.text;
      if (node.kind === 'formula') return node.source;
      return node.kind === 'image' ? node.alt : '';
    })
    .join('');
}
