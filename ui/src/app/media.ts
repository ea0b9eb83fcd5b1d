// How wide the page is and what it is pointed at with, as signals.
import { signal, type Signal } from '@preact/signals';

function matches(query: string): Signal<boolean> {
  const list = matchMedia(query);
  const value = signal(list.matches);
  list.addEventListener('change', () => (value.value = list.matches));
  return value;
}

export const isWide = matches('(min-width: 1100px)');
export const isCoarse = matches('(pointer: coarse)');
