// What is written and not yet sent, kept for each chat, so that a reload or another chat costs nothing.
import { signal } from '@preact/signals';
import { kept, store } from '../data/library';
import type { Attached } from './actions';

export const attachedTexts = signal<Attached[]>([]);

const kDelay = 300;
let timer: ReturnType<typeof setTimeout> | null = null;
let pending: (() => void) | null = null;

export function saveDraft(conv: string, text: string): void {
  const write = (): void => {
    pending = null;
    if (timer) clearTimeout(timer);
    timer = null;
    if (!store().readOnly) void kept(store().setDraft({ conv, text, attachments: attachedTexts.peek() }));
  };
  pending = write;
  if (timer) clearTimeout(timer);
  timer = setTimeout(write, kDelay);
}

// What was attached is large and rarely changes: no waiting for more.
export function saveNow(conv: string, text: string): void {
  saveDraft(conv, text);
  flushDraft();
}

// Before another chat's draft is shown, and when the page goes.
export function flushDraft(): void {
  pending?.();
}
addEventListener('pagehide', flushDraft);
document.addEventListener('visibilitychange', flushDraft);

export async function draftOf(conv: string): Promise<{ text: string; attachments: Attached[] }> {
  try {
    const draft = await store().draft(conv);
    return { text: draft?.text ?? '', attachments: draft?.attachments ?? [] };
  } catch {
    return { text: '', attachments: [] };
  }
}
