import { loadStyle } from '../app/assets';
import { t } from '../i18n';
import type { FormulaNode } from './nodes';
import { crowded, made, scrollBox, unwatch } from './parts';

// Formulas are their source until they are drawn, and where they cannot be. The first two hundred of
// an answer are drawn as they come, a few in a frame; the others when they are about to be seen.
const AT_ONCE = 200;
const FRAME_MS = 6;
// No \def without an end, and no rule as large as the page.
const OPTIONS = { throwOnError: true, trust: false, strict: false, maxExpand: 1000, maxSize: 20 } as const;

type Render = (tex: string, host: HTMLElement, options: object) => void;
let renderer: Promise<Render> | undefined;

function load(): Promise<Render> {
  renderer ??= Promise.all([import('katex'), loadStyle('maths.css')]).then(([katex]) => katex.default.render);
  renderer.catch(() => (renderer = undefined)); // out of reach now, perhaps not later
  return renderer;
}

export interface Formulas {
  place(node: FormulaNode): HTMLElement;
  forget(dom: Node): void;
  dispose(): void;
}

export function createFormulas(): Formulas {
  const nodes = new Map<Node, FormulaNode>();
  const wanted = new Set<HTMLElement>(); // those that are about to be seen
  let placed = 0;
  let queue: HTMLElement[] = [];
  let running = false;
  const seen = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        seen.unobserve(target);
        wanted.add(target as HTMLElement);
        ask(target as HTMLElement);
      }
    },
    { rootMargin: '400px' },
  );

  function ask(dom: HTMLElement): void {
    queue.push(dom);
    if (running) return;
    running = true;
    load().then(
      (render) => requestAnimationFrame(() => work(render)),
      () => {
        running = false;
        queue = [];
      },
    );
  }

  function work(render: Render): void {
    const until = performance.now() + FRAME_MS;
    while (queue.length > 0 && performance.now() < until) {
      const dom = queue.shift()!;
      const node = nodes.get(dom);
      if (!node) continue;
      if (crowded(dom) && !wanted.delete(dom)) seen.observe(dom);
      else draw(render, dom, node);
    }
    running = queue.length > 0;
    if (running) requestAnimationFrame(() => work(render));
  }

  return {
    place(node) {
      const dom = made('span', node.display ? 'tx-formula tx-display' : 'tx-formula', node.source);
      dom.dir = 'ltr';
      nodes.set(dom, node);
      if (++placed <= AT_ONCE) ask(dom);
      else seen.observe(dom);
      return dom;
    },
    forget(dom) {
      nodes.delete(dom);
      if (!(dom instanceof HTMLElement)) return;
      seen.unobserve(dom);
      unwatch(dom);
    },
    dispose() {
      nodes.clear();
      seen.disconnect();
    },
  };
}

function draw(render: Render, dom: HTMLElement, { tex, source, display }: FormulaNode): void {
  const host = made('span', '');
  try {
    render(tex, host, { ...OPTIONS, displayMode: display });
  } catch (error) {
    dom.classList.add('tx-faulty');
    dom.title = error instanceof Error ? error.message.slice(0, 300) : source;
    return;
  }
  dom.replaceChildren(...host.childNodes);
  if (display) scrollBox(dom, () => t().textFormula);
  dom.classList.add('tx-drawn');
}

// For text that has none: code.
export const formulasNowhere: Formulas = {
  place: (node) => made('span', '', node.source),
  forget: () => {},
  dispose: () => {},
};
