// The keyboard. Nothing acts while an input method composes, and letters only on a turn that has the focus.
import { effect } from '@preact/signals';
import { retry, branch, stop } from '../chat/actions';
import { editing } from '../chat/editing';
import { messageField } from '../chat/composer';
import { goToVersion, openBlank, run, tree } from '../chat/session';
import { focusTurn } from '../chat/turn';
import type { Node } from '../data/types';
import { copyText } from './clipboard';
import { belongsToComposition } from './composition';
import { isWide } from './media';
import { inspector, keysOpen, menuOpen } from './panels';
import { preferences } from './preferences';
import { go } from './router';

function focusedTurn(): { element: HTMLElement; node: Node } | null {
  const element = document.activeElement?.closest<HTMLElement>('article[data-node]');
  const node = element ? tree.value.nodes.get(element.dataset['node'] ?? '') : undefined;
  return element && node ? { element, node } : null;
}

const inField = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && target.matches('input, textarea, select, [contenteditable]');

export function newChat(): void {
  openBlank();
  go('');
  requestAnimationFrame(() => messageField()?.focus());
}

export function focusSearch(): void {
  if (!isWide.value) menuOpen.value = true;
  requestAnimationFrame(() => document.getElementById('search')?.focus());
}

// Alt+up and down: to the turn before or after, from anywhere.
function toTurn(step: number): void {
  const turns = [...document.querySelectorAll<HTMLElement>('article[data-node]')];
  const here = focusedTurn()?.element;
  const at = here ? turns.indexOf(here) + step : step < 0 ? turns.length - 1 : 0;
  const next = turns[at];
  if (!next) return;
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}

function onTurn(key: string, node: Node): boolean {
  const busy = run.value !== undefined;
  switch (key) {
    case 'e':
      if (!busy) editing.value = node.id;
      return true;
    case 'r':
      if (!busy) void retry(node);
      return true;
    case 'c':
      void copyText(node.content);
      return true;
    case 'b':
      if (!busy && node.role === 'assistant') branch(node);
      messageField()?.focus();
      return true;
    default:
      return false;
  }
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || belongsToComposition(event)) return;
  const modified = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  const done = ((): boolean => {
    if (modified && !event.altKey && key === 'k') return focusSearch(), true;
    if (modified && event.shiftKey && key === 'o') return newChat(), true;
    if (event.altKey && !modified && (key === 'arrowup' || key === 'arrowdown')) return toTurn(key === 'arrowup' ? -1 : 1), true;
    if (event.altKey && !modified && (key === 'arrowleft' || key === 'arrowright')) {
      const turn = focusedTurn();
      const next = turn && goToVersion(turn.node, key === 'arrowleft' ? -1 : 1);
      if (next) requestAnimationFrame(() => focusTurn(next.id));
      return turn !== null;
    }
    if (key === 'escape') {
      if (run.value) return stop(), true;
      if (inspector.value && isWide.value) return (inspector.value = ''), true;
      return false;
    }
    if (modified || event.altKey || inField(event.target) || !preferences.value.singleKeys) return false;
    if (document.querySelector('dialog[open]')) return false;
    if (key === '/') return messageField()?.focus(), true;
    if (key === '?') return (keysOpen.value = true);
    const turn = focusedTurn();
    return turn !== null && document.activeElement === turn.element && onTurn(key, turn.node);
  })();
  if (done) event.preventDefault();
}

export function listenToKeys(): void {
  addEventListener('keydown', onKey);
  effect(() => {
    if (isWide.value) menuOpen.value = false;
  });
}

