// The open conversation as a tree. A turn is a row; only a fork moves what follows to the side, so that a
// long talk without forks is a list.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { go } from '../app/router';
import { conversation, goTo, isNew, path, tree } from '../chat/session';
import { childrenOf, leafBelow, type Tree } from '../data/tree';
import type { Node } from '../data/types';
import { t } from '../i18n';

interface Row {
  node: Node;
  depth: number; // forks above it
  level: number; // nodes above it
  version: number; // 1 is the first among those with the same parent
  versions: number;
  last: boolean;
}

// Every node once, in the order of reading, without recursion: a talk may have ten thousand turns.
export function rowsOf(whole: Tree): Row[] {
  const rows: Row[] = [];
  const open: Row[] = [];
  const push = (parent: string | null, depth: number, level: number): void => {
    const children = childrenOf(whole, parent);
    const deeper = depth + (children.length > 1 ? 1 : 0);
    for (let at = children.length - 1; at >= 0; --at)
      open.push({ node: children[at]!, depth: deeper, level, version: at + 1, versions: children.length, last: at === children.length - 1 });
  };
  push(null, 0, 1);
  for (let row = open.pop(); row; row = open.pop()) {
    rows.push(row);
    push(row.node.id, row.depth, row.level + 1);
  }
  return rows;
}

export default function TreeView(): VNode {
  const words = t();
  const whole = tree.value;
  const rows = rowsOf(whole);
  const shown = new Set(path.value.map(({ id }) => id));
  const focused = useSignal<string | null>(null);
  const box = useRef<HTMLDivElement>(null);
  if (rows.length === 0)
    return (
      <div class="empty">
        <p>{words.treeNone}</p>
        <button type="button" class="button" onClick={() => go('')}>
          {words.stateGoChat}
        </button>
      </div>
    );
  const stop = rows.some(({ node }) => node.id === focused.value) ? focused.value : (path.value.at(-1)?.id ?? rows[0]!.node.id);
  const open = (node: Node): void => {
    goTo(leafBelow(whole, node.id, conversation.value.lastLeaf));
    if (isNew.value) go('');
    else go('c', conversation.value.id, node.id);
  };
  const move = (event: KeyboardEvent): void => {
    const items = [...(box.current?.querySelectorAll<HTMLElement>('[role=treeitem]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    const row = rows[at];
    if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
    const find = (step: number, wanted: (other: Row) => boolean): number => {
      for (let other = at + step; rows[other]; other += step) if (wanted(rows[other]!)) return other;
      return at;
    };
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      ArrowLeft: find(-1, ({ level }) => level < row.level),
      ArrowRight: at + 1,
      Home: 0,
      End: items.length - 1,
      // To the next version of the same turn, and back.
      PageDown: find(1, ({ node }) => node.parent === row.node.parent),
      PageUp: find(-1, ({ node }) => node.parent === row.node.parent),
    }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      items[next]?.focus();
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      open(row.node);
    }
  };
  return (
    <section class="stack" aria-labelledby="tree-title">
      <h2 id="tree-title" dir="auto">
        {conversation.value.title || words.untitled}
      </h2>
      <p class="muted">{words.treeHelp(rows.length, rows.filter((row) => row.versions > 1 && row.version > 1).length)}</p>
      <div class="turn-tree" role="tree" aria-labelledby="tree-title" ref={box} onKeyDown={move}>
        {rows.map(({ node, depth, level, version, versions }) => (
          <div
            key={node.id}
            class={`turn-row ${shown.has(node.id) ? 'on-path' : ''} ${versions > 1 ? 'fork' : ''} ${node.role}`}
            role="treeitem"
            aria-level={level}
            aria-selected={shown.has(node.id)}
            aria-posinset={version}
            aria-setsize={versions}
            tabIndex={node.id === stop ? 0 : -1}
            style={{ '--depth': depth }}
            onFocus={() => (focused.value = node.id)}
            onClick={() => open(node)}
          >
            <span class="rails" aria-hidden="true" />
            <span class="turn-dot" aria-hidden="true" />
            <span class="who">{node.role === 'user' ? words.you : node.role === 'assistant' ? words.answer : words.turnSystem}</span>
            {versions > 1 && <span class="tag">{words.versionOf(version, versions)}</span>}
            <span class="line" dir="auto">
              {firstWords(node) || words.treeEmpty}
            </span>
            <span class="muted small tail">
              {[statusWord(node), node.usage ? words.tokens(node.usage.completion) : '', node.state ? words.treeState : ''].filter(Boolean).join(' · ')}
            </span>
          </div>
        ))}
      </div>
      <p class="muted small">{words.treeKeys}</p>
    </section>
  );
}

function firstWords(node: Node): string {
  return node.content.slice(0, 400).replace(/\s+/g, ' ').trim().slice(0, 160);
}

function statusWord({ status }: Node): string {
  const words = t();
  if (status === 'streaming') return words.answering;
  if (status === 'stopped') return words.stopped;
  if (status === 'broken' || status === 'error') return words.interrupted;
  return '';
}
