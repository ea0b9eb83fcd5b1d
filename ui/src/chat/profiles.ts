// Sampling presets: the rows of public recommendations, with where each is from. What a row does not say
// is the server's; '' says nothing at all and leaves everything to the model's own values.
import type { Settings } from '../data/types';
import { isRecord } from '../net/errors';

export interface Preset {
  id: string;
  en: string;
  zh: string;
  source: string;
  values: Record<string, number>;
}

const row = (
  temperature: number,
  top_p: number,
  presence_penalty: number,
  frequency_penalty: number,
  penalty_decay: number,
  top_k?: number,
): Record<string, number> => ({
  temperature,
  top_p,
  presence_penalty,
  frequency_penalty,
  penalty_decay,
  ...(top_k === undefined ? {} : { top_k }),
});

export const presets: readonly Preset[] = [
  { id: '', en: 'Model’s own', zh: '模型自带', source: '', values: {} },
  { id: 'chat', en: 'Chat', zh: '聊天', source: 'RWKV API_DEMO_CHAT', values: row(1, 0.3, 0.5, 0.5, 0.996) },
  { id: 'think', en: 'Thinking', zh: '思考', source: 'rwkv (pip), G1', values: row(1, 0.5, 0, 0, 0.997, 100) },
  { id: 'creative', en: 'Creative', zh: '创作', source: 'rwkvcn-docs', values: row(0.6, 0.8, 2, 0.2, 0.99) },
  { id: 'careful', en: 'Careful', zh: '谨慎', source: 'rwkvcn-docs', values: row(0.3, 0.3, 0, 0, 0.996) },
  { id: 'translate', en: 'Translation', zh: '翻译', source: 'RWKV-Runner', values: row(1, 0.3, 0, 1, 0.996) },
  { id: 'facts', en: 'Facts, always the likeliest', zh: '事实，总取最可能', source: 'rwkvcn-docs', values: { temperature: 0, presence_penalty: 0, frequency_penalty: 0 } },
];

export function presetOf(id: string): Preset {
  return presets.find((preset) => preset.id === id) ?? presets[0]!;
}

// A JSON object of other fields, or null where the text is none.
export function extraOf(text: string): Record<string, unknown> | null {
  if (text.trim() === '') return {};
  try {
    const raw: unknown = JSON.parse(text);
    return isRecord(raw) ? raw : null;
  } catch {
    return null;
  }
}

// What is sent: the row, with what was changed by hand over it.
export function settingsOf(profile: string, changed: Settings): Record<string, unknown> {
  const { extra, ...numbers } = changed;
  return { ...presetOf(profile).values, ...numbers, ...(typeof extra === 'string' ? (extraOf(extra) ?? {}) : {}) };
}
