// The language in use: the one chosen, else the browser's, also when that changes while the page is open.
import { computed, effect, signal } from '@preact/signals';
import { remembered, remember } from '../data/local';
import { en, type Dictionary } from './en';
import { zh } from './zh';

export type Locale = 'en' | 'zh';
export type { Dictionary };

const dictionaries: Record<Locale, Dictionary> = { en, zh };
const tags: Record<Locale, string> = { en: 'en', zh: 'zh-CN' };

export function localeOf(languages: readonly string[]): Locale {
  for (const language of languages) {
    if (/^zh\b/i.test(language)) return 'zh';
    if (/^en\b/i.test(language)) return 'en';
  }
  return 'en';
}

const browser = signal<Locale>(localeOf(navigator.languages));
addEventListener('languagechange', () => (browser.value = localeOf(navigator.languages)));

// null: as the browser has it.
export const chosenLocale = signal<Locale | null>(remembered('locale', ['en', 'zh']));
export const locale = computed<Locale>(() => chosenLocale.value ?? browser.value);
export const localeTag = computed(() => tags[locale.value]);

effect(() => {
  document.documentElement.lang = localeTag.value;
});

export function chooseLocale(next: Locale | null): void {
  chosenLocale.value = next;
  remember('locale', next);
}

// The words, inside a component or an effect: what reads them is drawn anew with the language.
export function t(): Dictionary {
  return dictionaries[locale.value];
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(localeTag.value, { maximumFractionDigits: digits }).format(value);
}

export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at += 1;
  }
  return `${number(value, at === 0 || value >= 100 ? 0 : 1)} ${units[at]}`;
}

export function seconds(ms: number): string {
  const value = ms / 1000;
  return `${number(value, value < 10 ? 1 : 0)} ${locale.value === 'zh' ? '秒' : 's'}`;
}
