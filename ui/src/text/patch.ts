import { t } from '../i18n';
import { CodeBox } from './code';
import type { Formulas } from './formula';
import { imageBox } from './image';
import type { ElementNode, TextNode } from './nodes';
import { scrollBox, unwatch } from './parts';
import { RestBox } from './rest';

// Nodes into the page: what is there already stays as it is, so that a selection, the focus and the
// place where somebody reads survive each new piece. Elements are made by name, never from a string.
export interface Mounted {
  node: TextNode;
  dom: ChildNode;
  kids: Mounted[];
  box?: CodeBox | RestBox;
}

export function patch(parent: ParentNode, mounted: Mounted[], nodes: readonly TextNode[], formulas: Formulas): void {
  nodes.forEach((node, at) => {
    const old = mounted[at];
    if (!old) {
      const made = mount(node, formulas);
      mounted.push(made);
      parent.append(made.dom);
    } else if (old.node !== node && !update(old, node, formulas)) {
      const made = mount(node, formulas);
      unmount(old, formulas);
      old.dom.replaceWith(made.dom);
      mounted[at] = made;
    }
  });
  for (const old of mounted.splice(nodes.length)) {
    unmount(old, formulas);
    old.dom.remove();
  }
}

function mount(node: TextNode, formulas: Formulas): Mounted {
  if (typeof node === 'string') return { node, dom: document.createTextNode(node), kids: [] };
  switch (node.kind) {
    case 'element': {
      const dom = document.createElement(node.tag);
      for (const [name, value] of Object.entries(node.attrs)) dom.setAttribute(name, value);
      const kids: Mounted[] = [];
      patch(dom, kids, node.kids, formulas);
      if (node.attrs.class === 'tx-scroll') scrollBox(dom, () => t().textTable);
      return { node, dom, kids };
    }
    case 'code': {
      const box = new CodeBox(node);
      return { node, dom: box.dom, kids: [], box };
    }
    case 'rest': {
      const box = new RestBox(node.table, formulas);
      return { node, dom: box.dom, kids: [], box };
    }
    case 'formula':
      return { node, dom: formulas.place(node), kids: [] };
    case 'image':
      return { node, dom: imageBox(node), kids: [] };
  }
}

function unmount({ node, dom, kids, box }: Mounted, formulas: Formulas): void {
  if (box) box.dispose();
  else if (typeof node !== 'string' && node.kind === 'element' && node.attrs.class === 'tx-scroll') unwatch(dom as HTMLElement);
  else if (typeof node !== 'string' && node.kind === 'formula') formulas.forget(dom);
  for (const kid of kids) unmount(kid, formulas);
}

// Whether what stands there could be made into `node`.
function update(old: Mounted, node: TextNode, formulas: Formulas): boolean {
  const before = old.node;
  if (typeof node === 'string' || typeof before === 'string') {
    if (typeof node !== 'string' || typeof before !== 'string') return false;
    const text = old.dom as Text;
    if (node.startsWith(before)) text.appendData(node.slice(before.length));
    else if (node !== before) text.data = node;
    old.node = node;
    return true;
  }
  if (node.kind === 'element' && before.kind === 'element') {
    if (node.tag !== before.tag) return false;
    updateAttributes(old.dom as HTMLElement, before, node);
    patch(old.dom as HTMLElement, old.kids, node.kids, formulas);
  } else if (node.kind === 'code' && old.box instanceof CodeBox) {
    old.box.update(node);
  } else if (node.kind === 'rest' && old.box instanceof RestBox) {
    old.box.update(node.table);
  } else if (JSON.stringify(node) !== JSON.stringify(before)) {
    return false; // formulas and images are short
  }
  old.node = node;
  return true;
}

function updateAttributes(dom: HTMLElement, before: ElementNode, now: ElementNode): void {
  for (const [name, value] of Object.entries(now.attrs))
    if (before.attrs[name as keyof typeof before.attrs] !== value) dom.setAttribute(name, value);
  for (const name of Object.keys(before.attrs)) if (!(name in now.attrs)) dom.removeAttribute(name);
}
