// Light, dark, or as the system has it. theme.ts sets it before the first paint.
import { effect, signal } from '@preact/signals';
import { remember, remembered } from '../data/local';

export type Theme = 'system' | 'light' | 'dark';
export const themes: readonly Theme[] = ['system', 'light', 'dark'];
export const theme = signal<Theme>(remembered('theme', ['light', 'dark']) ?? 'system');

effect(() => {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
});

export function chooseTheme(next: Theme): void {
  theme.value = next;
  remember('theme', next === 'system' ? null : next);
}
