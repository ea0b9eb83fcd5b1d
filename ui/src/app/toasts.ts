// A word at the lower edge, with at most one thing to do about it; it stays until it is dismissed or the
// next one comes, so nobody has to be quick.
import { signal } from '@preact/signals';
import { announce } from './announce';

export interface Toast {
  words: string;
  action?: { name: string; run: () => void };
}

export const toast = signal<Toast | null>(null);

export function showToast(words: string, action?: Toast['action']): void {
  toast.value = action ? { words, action } : { words };
  announce(words);
}

export function dismissToast(): void {
  toast.value = null;
}
