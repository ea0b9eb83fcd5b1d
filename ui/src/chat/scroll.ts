// Keeps the end of the transcript in sight while text comes, until the reader wants to look elsewhere.
import { signal } from '@preact/signals';

export const kNear = 64;
export const attached = signal(true);
export const linesBelow = signal(0);

let box: HTMLElement | null = null;
let seenHeight = 0;
let own = 0; // our own scrolling tells itself, too

const distance = (): number => (box ? box.scrollHeight - box.clientHeight - box.scrollTop : 0);

export function follow(element: HTMLElement): () => void {
  box = element;
  const detachKeys = new Set(['PageUp', 'Home', 'ArrowUp']);
  const stop = new AbortController();
  const { signal: until } = stop;
  element.addEventListener('wheel', ({ deltaY }) => deltaY < 0 && distance() + element.scrollTop > 0 && detach(), { passive: true, signal: until });
  let touchY = 0;
  element.addEventListener('touchstart', ({ touches }) => (touchY = touches[0]?.clientY ?? 0), { passive: true, signal: until });
  element.addEventListener(
    'touchmove',
    ({ touches }) => {
      if ((touches[0]?.clientY ?? 0) > touchY + 4) detach();
    },
    { passive: true, signal: until },
  );
  element.addEventListener('keydown', ({ key }) => detachKeys.has(key) && detach(), { signal: until });
  element.addEventListener(
    'scroll',
    () => {
      if (own > 0) {
        own -= 1;
        return;
      }
      if (distance() <= kNear) attach();
      else if (attached.value && !growing()) detach();
    },
    { passive: true, signal: until },
  );
  document.addEventListener(
    'selectionchange',
    () => {
      const selection = getSelection();
      if (selection && !selection.isCollapsed && selection.anchorNode && element.contains(selection.anchorNode)) detach();
    },
    { signal: until },
  );
  const sizes = new ResizeObserver(() => attached.value && toEnd());
  sizes.observe(element);
  return () => {
    stop.abort();
    sizes.disconnect();
    if (box === element) box = null;
  };
}

// A longer text moves the end away without anybody scrolling.
function growing(): boolean {
  return box !== null && box.scrollHeight !== seenHeight;
}

export function detach(): void {
  if (distance() <= 0 && box && box.scrollHeight <= box.clientHeight) return;
  attached.value = false;
  seenHeight = box?.scrollHeight ?? 0;
}

export function attach(): void {
  attached.value = true;
  linesBelow.value = 0;
}

export function toEnd(): void {
  if (!box) return;
  const before = box.scrollTop;
  box.scrollTop = box.scrollHeight;
  if (box.scrollTop !== before) own += 1;
  seenHeight = box.scrollHeight;
}

export function jumpToEnd(): void {
  attach();
  toEnd();
}

// After text was added.
export function grown(): void {
  if (!box) return;
  if (attached.value) toEnd();
  else linesBelow.value = Math.max(0, Math.round((box.scrollHeight - seenHeight) / 26));
}
