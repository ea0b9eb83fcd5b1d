// A conversation as a tree, made of nodes that each know their parent. Every function gives an answer for
// any set of nodes: a parent that is not there, a cycle, a leaf that is gone still show what can be read.
import type { Node } from './types';

export interface Tree {
  nodes: ReadonlyMap<string, Node>;
  // By parent (null: the roots), each list in the order of `seq`.
  children: ReadonlyMap<string | null, readonly Node[]>;
}

const order = (a: Node, b: Node): number => a.seq - b.seq || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

export function makeTree(list: Iterable<Node>): Tree {
  const nodes = new Map<string, Node>();
  for (const node of list) nodes.set(node.id, node);
  const parentOf = new Map<string, string | null>();
  for (const node of nodes.values())
    parentOf.set(node.id, node.parent !== null && nodes.has(node.parent) ? node.parent : null);
  for (const id of cycleHeads(nodes, parentOf)) parentOf.set(id, null);

  const children = new Map<string | null, Node[]>();
  for (const node of nodes.values()) {
    const parent = parentOf.get(node.id) ?? null;
    const list = children.get(parent);
    if (list) list.push(node);
    else children.set(parent, [node]);
  }
  for (const list of children.values()) list.sort(order);
  return { nodes, children };
}

// Of each cycle the node that was made first: it becomes a root.
function cycleHeads(nodes: ReadonlyMap<string, Node>, parentOf: ReadonlyMap<string, string | null>): string[] {
  const heads: string[] = [];
  const done = new Set<string>();
  for (const start of nodes.keys()) {
    const walk: string[] = [];
    const inWalk = new Set<string>();
    let at: string | null = start;
    while (at !== null && !done.has(at) && !inWalk.has(at)) {
      walk.push(at);
      inWalk.add(at);
      at = parentOf.get(at) ?? null;
    }
    if (at !== null && inWalk.has(at)) {
      const cycle = walk.slice(walk.indexOf(at)).flatMap((id) => nodes.get(id) ?? []);
      const first = cycle.sort(order)[0];
      if (first) heads.push(first.id);
    }
    for (const id of walk) done.add(id);
  }
  return heads;
}

export function childrenOf(tree: Tree, id: string | null): readonly Node[] {
  return tree.children.get(id) ?? [];
}

export function parentOf(tree: Tree, node: Node): Node | null {
  const parent = node.parent === null ? undefined : tree.nodes.get(node.parent);
  return parent && childrenOf(tree, parent.id).includes(node) ? parent : null;
}

export function siblingsOf(tree: Tree, node: Node): readonly Node[] {
  return childrenOf(tree, parentOf(tree, node)?.id ?? null);
}

// From the root to `leaf`; to the newest leaf where that one is gone.
export function pathTo(tree: Tree, leaf: string | null): Node[] {
  let at: Node | null = (leaf === null ? undefined : tree.nodes.get(leaf)) ?? newestLeaf(tree);
  const path: Node[] = [];
  while (at) {
    path.push(at);
    at = parentOf(tree, at);
  }
  return path.reverse();
}

export function newestLeaf(tree: Tree): Node | null {
  let newest: Node | null = null;
  for (const node of tree.nodes.values())
    if (childrenOf(tree, node.id).length === 0 && (!newest || order(newest, node) < 0)) newest = node;
  return newest;
}

// The leaf below `id` that was shown last, else the newest.
export function leafBelow(tree: Tree, id: string, lastLeaf: Record<string, string>): string {
  let at = id;
  for (;;) {
    const kept = lastLeaf[at];
    if (kept !== undefined && kept !== at && isBelow(tree, kept, at)) return leafBelow(tree, kept, {});
    const next = childrenOf(tree, at).at(-1);
    if (!next) return at;
    at = next.id;
  }
}

// Whether `id` is `above` or stands somewhere behind it.
export function isBelow(tree: Tree, id: string, above: string): boolean {
  let at: Node | null | undefined = tree.nodes.get(id);
  while (at) {
    if (at.id === above) return true;
    at = parentOf(tree, at);
  }
  return false;
}

export function subtreeOf(tree: Tree, id: string): Node[] {
  const root = tree.nodes.get(id);
  const out: Node[] = root ? [root] : [];
  for (let at = 0; at < out.length; at += 1) out.push(...childrenOf(tree, out[at]!.id));
  return out;
}

// Where to be when `id` and all behind it are gone: at the version beside it, else before it.
export function leafWithout(tree: Tree, id: string, lastLeaf: Record<string, string>): string | null {
  const node = tree.nodes.get(id);
  if (!node) return newestLeaf(tree)?.id ?? null;
  const siblings = siblingsOf(tree, node);
  const at = siblings.indexOf(node);
  const beside = siblings[at + 1] ?? siblings[at - 1];
  if (beside) return leafBelow(tree, beside.id, lastLeaf);
  return parentOf(tree, node)?.id ?? null;
}

// How many messages stand on other branches of this conversation than the path that is shown.
export function countElsewhere(tree: Tree, path: readonly Node[]): number {
  return tree.nodes.size - path.length;
}

// For each fork on the way to `leaf`, that it was last shown.
export function withLastLeaf(tree: Tree, lastLeaf: Record<string, string>, leaf: string): Record<string, string> {
  const out: Record<string, string> = {};
  for (const [fork, last] of Object.entries(lastLeaf)) if (tree.nodes.has(fork) && tree.nodes.has(last)) out[fork] = last;
  for (const node of pathTo(tree, leaf))
    if (childrenOf(tree, node.id).length > 0 || siblingsOf(tree, node).length > 1) out[node.id] = leaf;
  return out;
}
