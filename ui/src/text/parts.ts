import { copyText } from '../app/clipboard';
import { t, type Dictionary } from '../i18n';
import type { TextNode } from './nodes';

// Elements with words of ours in them: a change of the language finds them by their `data-word`.
type Word = { [Key in keyof Dictionary]: Dictionary[Key] extends string ? Key : never }[keyof Dictionary];

export function made<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  className: string,
  ...kids: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const dom = document.createElement(tag);
  if (className !== '') dom.className = className;
  dom.append(...kids);
  return dom;
}

export function say(dom: HTMLElement, word: Word): void {
  dom.dataset.word = word;
  dom.textContent = t()[word];
}

export function name(dom: HTMLElement, word: Word): void {
  dom.dataset.label = word;
  dom.setAttribute('aria-label', t()[word]);
}

export function sayAgain(host: HTMLElement): void {
  for (const dom of host.querySelectorAll<HTMLElement>('[data-word]')) say(dom, dom.dataset.word as Word);
  for (const dom of host.querySelectorAll<HTMLElement>('[data-label]')) name(dom, dom.dataset.label as Word);
}

// A button that copies what `text` gives and says for a moment whether that worked.
export function copyButton(label: Word, text: () => string): HTMLButtonElement {
  const button = made('button', 'tx-button');
  button.type = 'button';
  say(button, 'textCopy');
  name(button, label);
  button.addEventListener('click', () => {
    void copyText(text()).then((copied) => {
      say(button, copied ? 'textCopied' : 'textNotCopied');
      name(button, copied ? 'textCopied' : 'textNotCopied');
      setTimeout(() => {
        say(button, 'textCopy');
        name(button, label);
      }, 2000);
    });
  });
  return button;
}

// A box that scrolls sideways is reached by Tab and has a name; one that does not is passed over.
const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) settle(named.has(target) ? target : target.parentElement);
});
const named = new WeakMap<Element, () => string>();

export function scrollBox(dom: HTMLElement, label: () => string): void {
  named.set(dom, label);
  watch.observe(dom);
  // Its own size says nothing of how wide what is in it has become.
  if (dom.firstElementChild) watch.observe(dom.firstElementChild);
}

// To be called where its content grew in a way that no observer sees.
export function settle(dom: Element | null): void {
  const label = dom && named.get(dom);
  if (!dom || !label) return;
  if (dom.scrollWidth > dom.clientWidth + 1 || dom.scrollHeight > dom.clientHeight + 1) {
    dom.setAttribute('tabindex', '0');
    dom.setAttribute('role', 'group');
    dom.setAttribute('aria-label', label());
  } else if (dom !== document.activeElement) {
    for (const attribute of ['tabindex', 'role', 'aria-label']) dom.removeAttribute(attribute);
  }
}

export function unwatch(dom: HTMLElement): void {
  watch.unobserve(dom);
  if (dom.firstElementChild) watch.unobserve(dom.firstElementChild);
}

// What `revealed` gives: texts, and marks for what is not to be seen.
export function plain(node: TextNode): Node | string {
  if (typeof node === 'string') return node;
  if (node.kind !== 'element') return '';
  return made('span', node.attrs.class ?? '', ...node.kids.map(plain));
}

// Whether the answer around `dom` has as many elements as a page can bear: then it gets no colours, and
// formulas only where somebody looks.
const CROWDED = 10_000;

export function crowded(dom: Element): boolean {
  return (dom.closest('.tx')?.getElementsByTagName('*').length ?? 0) > CROWDED;
}
