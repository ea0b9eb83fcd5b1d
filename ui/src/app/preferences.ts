// How this browser wants the page to behave.
import { signal } from '@preact/signals';
import { remember, rememberedText } from '../data/local';

export interface Preferences {
  enterSends: boolean;
  singleKeys: boolean;
  speakAnswers: boolean;
}

const defaults: Preferences = { enterSends: true, singleKeys: true, speakAnswers: false };

function stored(): Preferences {
  const out = { ...defaults };
  try {
    const raw: unknown = JSON.parse(rememberedText('preferences') ?? '{}');
    for (const name of Object.keys(defaults) as (keyof Preferences)[]) {
      const value = (raw as Record<string, unknown> | null)?.[name];
      if (typeof value === 'boolean') out[name] = value;
    }
  } catch {
    // Damaged: as if nothing had been chosen.
  }
  return out;
}

export const preferences = signal<Preferences>(stored());

export function prefer(name: keyof Preferences, value: boolean): void {
  preferences.value = { ...preferences.value, [name]: value };
  remember('preferences', JSON.stringify(preferences.value));
}
