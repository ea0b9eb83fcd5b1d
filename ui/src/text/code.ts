import { t } from '../i18n';
import { inBoxes, isBox } from './boxes';
import { revealed } from './controls';
import { formulasNowhere } from './formula';
import { highlight } from './highlight';
import type { CodeNode, TextNode } from './nodes';
import { copyButton, crowded, made, plain, scrollBox, settle, unwatch } from './parts';
import { patch, type Mounted } from './patch';

// A block of code: its language, Copy, and the text in a box that scrolls by itself. While it grows
// it is coloured four times a second at most and only while it is short; at its end once more.
const COLOUR_EVERY_MS = 250;
const COLOURED_GROWING = 20_000;
const LONGEST_LINE = 5_000;

export class CodeBox {
  readonly dom: HTMLElement;
  private readonly pre = made('pre', '');
  private readonly code = made('code', '');
  private readonly label = made('span', 'tx-language');
  private kids: Mounted[] = [];
  private lineAt = 0; // lines before this are short
  private wrapped = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private busy = false;
  private gone = false;

  constructor(private node: CodeNode) {
    this.pre.dir = 'ltr';
    this.pre.append(this.code);
    const copy = copyButton('textCopyCode', () => this.node.text);
    this.dom = made('div', 'tx-code', made('div', 'tx-code-head', this.label, copy), this.pre);
    scrollBox(this.pre, () => (this.node.language ? t().textCodeIn(this.node.language) : t().textCode));
    this.nameLanguage();
    this.draw(revealed(node.text));
    this.askForColours();
  }

  update(node: CodeNode): void {
    const before = this.node;
    this.node = node;
    if (before.language !== node.language) this.nameLanguage();
    if (before.text === node.text && before.closed === node.closed) return;
    if (before.text !== node.text) {
      if (node.text.startsWith(before.text)) this.grow(node.text.slice(before.text.length));
      else {
        this.lineAt = 0;
        this.draw(revealed(node.text));
      }
    }
    this.askForColours();
  }

  dispose(): void {
    this.gone = true;
    clearTimeout(this.timer);
    unwatch(this.pre);
  }

  private nameLanguage(): void {
    this.label.replaceChildren(
      ...revealed(this.node.language, true).map(plain),
    );
  }

  private draw(nodes: TextNode[]): void {
    this.wrapIfLong();
    patch(this.code, this.kids, inBoxes(nodes), formulasNowhere);
    settle(this.pre);
  }

  // A line of a hundred thousand letters takes a minute to paint unless it is broken.
  private wrapIfLong(): void {
    const { text } = this.node;
    for (; !this.wrapped && this.lineAt < text.length; ) {
      const end = text.indexOf('\n', this.lineAt);
      if ((end < 0 ? text.length : end) - this.lineAt > LONGEST_LINE) {
        this.wrapped = true;
        this.pre.classList.add('tx-wrap');
      }
      if (end < 0) break;
      this.lineAt = end + 1;
    }
  }

  // New text stands behind what has colours until its turn comes.
  private grow(more: string): void {
    this.wrapIfLong();
    let kept = this.kids.length;
    while (kept > 0 && !isBox(this.kids[kept - 1]!.node)) --kept;
    const tail = this.kids.splice(kept);
    const nodes = [...tail.map(({ node }) => node), ...revealed(more)];
    patch(this.code, tail, inBoxes(nodes), formulasNowhere);
    this.kids.push(...tail);
    if (this.node.closed) settle(this.pre);
  }

  private askForColours(): void {
    const { text, closed, language } = this.node;
    if (language === '' || text === '' || (!closed && text.length > COLOURED_GROWING)) return;
    if (this.busy || (this.timer !== undefined && !closed)) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.colour(), closed ? 0 : COLOUR_EVERY_MS);
  }

  private async colour(): Promise<void> {
    this.timer = undefined;
    if (crowded(this.dom)) return;
    this.busy = true;
    const { text, language, closed } = this.node;
    let nodes: TextNode[] | undefined;
    try {
      nodes = await highlight(language, text);
    } catch {
      nodes = undefined; // the page's other files are out of reach: plain code is code
    }
    // Drawing is a frame's work of its own.
    if (nodes) await new Promise((resolve) => setTimeout(resolve));
    this.busy = false;
    if (this.gone) return;
    if (this.node.text !== text || this.node.language !== language) {
      if (nodes && this.node.text.startsWith(text)) {
        this.draw(nodes);
        this.grow(this.node.text.slice(text.length));
      }
      this.askForColours();
      return;
    }
    if (nodes) this.draw(nodes);
    if (this.node.closed !== closed) this.askForColours();
  }
}
