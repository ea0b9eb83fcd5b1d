// The numbers that a request may say about how tokens are chosen, with the range that makes sense; what
// they do stands in the dictionaries.
export interface Slider {
  name: 'temperature' | 'top_p' | 'top_k' | 'min_p' | 'presence_penalty' | 'frequency_penalty' | 'penalty_decay' | 'repetition_penalty';
  low: number;
  high: number;
  step: number;
  expert: boolean;
}

export const sliders: readonly Slider[] = [
  { name: 'temperature', low: 0, high: 2, step: 0.05, expert: false },
  { name: 'top_p', low: 0.01, high: 1, step: 0.01, expert: false },
  { name: 'presence_penalty', low: 0, high: 2, step: 0.05, expert: false },
  { name: 'frequency_penalty', low: 0, high: 2, step: 0.05, expert: false },
  { name: 'penalty_decay', low: 0.9, high: 1, step: 0.001, expert: false },
  { name: 'top_k', low: 0, high: 500, step: 1, expert: true },
  { name: 'min_p', low: 0, high: 1, step: 0.01, expert: true },
  { name: 'repetition_penalty', low: 1, high: 2, step: 0.01, expert: true },
];

export interface Amount {
  name: 'max_tokens' | 'reasoning_budget' | 'seed';
  low: number;
  high: number;
}

export const amounts: readonly Amount[] = [
  { name: 'max_tokens', low: 1, high: 1_000_000 },
  { name: 'reasoning_budget', low: 0, high: 100_000 },
  { name: 'seed', low: 0, high: Number.MAX_SAFE_INTEGER },
];
