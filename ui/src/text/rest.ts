import { t } from '../i18n';
import { buildTable } from './build';
import type { Formulas } from './formula';
import { inlineOnce } from './inline';
import type { TableSource } from './nodes';
import { made, say } from './parts';
import { patch, type Mounted } from './patch';

// Under a table that is larger than what is drawn at once: how much is seen, and Show all, which
// adds the rest in slices that leave the page usable.
const CELLS_IN_A_FRAME = 3000;

export class RestBox {
  readonly dom = made('div', 'tx-rest');
  private readonly count = made('span', 'muted');
  private readonly button = made('button', 'tx-button');
  private readonly inline = inlineOnce();
  private frame = 0;
  private opened = false;
  private shown = 0; // rows, once it is opened

  constructor(private table: TableSource, private readonly formulas: Formulas) {
    this.button.type = 'button';
    say(this.button, 'textShowAll');
    this.button.addEventListener('click', () => this.open());
    this.dom.append(this.count, this.button);
    this.tell();
  }

  update(table: TableSource): void {
    this.table = table;
    if (this.opened && this.frame === 0 && this.shown > 0) {
      this.body()?.lastElementChild?.remove(); // it may have been half a row
      this.shown -= 1;
      this.more();
    }
    this.tell();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  private tell(): void {
    const { rows, lines, columns, allColumns } = this.table;
    this.count.textContent = this.opened
      ? t().textRest(this.shown, lines.length, allColumns, allColumns)
      : t().textRest(rows, lines.length, columns, allColumns);
  }

  private open(): void {
    this.opened = true;
    this.button.remove();
    const old = this.dom.previousElementSibling?.firstElementChild;
    const table = this.draw(0, 0);
    // Columns of one width: else each new row would be measured together with all others.
    table.classList.add('tx-all');
    table.style.width = `${this.table.allColumns * 7}em`;
    old?.replaceWith(table);
    this.more();
  }

  private body(): Element | null {
    return this.dom.previousElementSibling?.querySelector('tbody') ?? null;
  }

  private more = (): void => {
    const { lines, allColumns } = this.table;
    const to = Math.min(lines.length, this.shown + Math.max(1, Math.floor(CELLS_IN_A_FRAME / allColumns)));
    this.body()?.append(...this.draw(this.shown, to).querySelectorAll('tbody > tr'));
    this.shown = to;
    this.tell();
    this.frame = to < lines.length ? requestAnimationFrame(this.more) : 0;
  };

  // The table with these rows of the body, and all columns.
  private draw(from: number, to: number): HTMLElement {
    const { lines, allColumns } = this.table;
    const part = { ...this.table, lines: lines.slice(from, to), rows: to - from, columns: allColumns };
    const holder = made('div', '');
    const kids: Mounted[] = [];
    patch(holder, kids, [buildTable(part, this.inline)], this.formulas);
    return holder.firstElementChild as HTMLElement;
  }
}
