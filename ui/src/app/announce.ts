// What a screen reader is told: starts and ends politely, failures at once. The same words twice are
// told twice, since the old ones are taken away first.
import { signal } from '@preact/signals';

export const statusWords = signal('');
export const alertWords = signal('');

export function announce(words: string, isFailure = false): void {
  const region = isFailure ? alertWords : statusWords;
  region.value = '';
  queueMicrotask(() => (region.value = words));
}
