// One answer of /v1/chat/completions, as a stream.
import type { StateRef, Timings, Usage } from '../data/types';
import { ask } from './api';
import { Failure, isRecord, saidIn, textOf } from './errors';
import { connected } from './connection';
import { sseReader } from './sse';

export interface ChatHears {
  // The server has let the request in.
  head(): void;
  text(piece: string): void;
  reasoning(piece: string): void;
  state(state: StateRef): void;
  model(name: string): void;
  progress(read: number, of: number): void;
  facts(usage: Usage | null, timings: Timings | null): void;
}

export interface ChatEnd {
  finishReason: string;
}

const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);

export function stateOf(raw: unknown): StateRef | null {
  if (!isRecord(raw) || textOf(raw['id']) === '') return null;
  const state: StateRef = { id: textOf(raw['id']) };
  const promptId = textOf(raw['prompt_id']);
  if (promptId) state.promptId = promptId;
  const tokens = number(raw['tokens']);
  if (tokens !== undefined) state.tokens = tokens;
  const bytes = number(raw['bytes']);
  if (bytes !== undefined) state.bytes = bytes;
  const fingerprint = textOf(raw['fingerprint']);
  if (fingerprint) state.fingerprint = fingerprint;
  return state;
}

function usageOf(raw: unknown): Usage | null {
  if (!isRecord(raw)) return null;
  const prompt = isRecord(raw['prompt_tokens_details']) ? raw['prompt_tokens_details'] : {};
  const completion = isRecord(raw['completion_tokens_details']) ? raw['completion_tokens_details'] : {};
  return {
    prompt: number(raw['prompt_tokens']) ?? 0,
    completion: number(raw['completion_tokens']) ?? 0,
    cached: number(prompt['cached_tokens']) ?? 0,
    reasoning: number(completion['reasoning_tokens']) ?? 0,
  };
}

function timingsOf(raw: unknown): Timings | null {
  if (!isRecord(raw)) return null;
  const out: Timings = {};
  const prompt = number(raw['prompt_ms']);
  const predicted = number(raw['predicted_ms']);
  const speed = number(raw['predicted_per_second']);
  if (prompt !== undefined) out.promptMs = prompt;
  if (predicted !== undefined) out.predictedMs = predicted;
  if (speed !== undefined && Number.isFinite(speed)) out.perSecond = speed;
  return out;
}

// Hears the chunk; gives the reason why the answer ended where it says one.
function hear(chunk: Record<string, unknown>, hears: ChatHears): string {
  const said = saidIn(chunk);
  if (said) throw new Failure('cut', said.message, said.param, 0, null, said.code);
  const state = stateOf(chunk['state']);
  if (state) hears.state(state);
  const model = textOf(chunk['model']);
  if (model) hears.model(model);
  const progress = isRecord(chunk['prompt_progress']) ? chunk['prompt_progress'] : null;
  if (progress) hears.progress(number(progress['processed']) ?? 0, number(progress['total']) ?? 0);
  const usage = usageOf(chunk['usage']);
  const timings = timingsOf(chunk['timings']);
  if (usage || timings) hears.facts(usage, timings);
  const choice = Array.isArray(chunk['choices']) ? chunk['choices'][0] : null;
  if (!isRecord(choice)) return '';
  const delta = isRecord(choice['delta']) ? choice['delta'] : {};
  const reasoning = textOf(delta['reasoning_content']) || textOf(delta['reasoning']);
  if (reasoning) hears.reasoning(reasoning);
  const text = textOf(delta['content']);
  if (text) hears.text(text);
  return textOf(choice['finish_reason']);
}

// Resolves when the answer has ended as it should. The loop only hands on what it reads, so that the
// server's pace is never the screen's.
export async function streamChat(body: unknown, hears: ChatHears, signal: AbortSignal): Promise<ChatEnd> {
  const answer = await ask('v1/chat/completions', { json: body, signal, headers: { Accept: 'text/event-stream' } });
  const type = answer.headers.get('content-type') ?? '';
  if (!type.startsWith('text/event-stream') || !answer.body) {
    await answer.body?.cancel().catch(() => {});
    throw new Failure('strange', '', '', answer.status);
  }
  hears.head();
  let finishReason = '';
  let done = false;
  const reader = sseReader(({ data }) => {
    if (done) return;
    if (data === '[DONE]') {
      done = true;
      return;
    }
    let chunk: unknown;
    try {
      chunk = JSON.parse(data);
    } catch {
      throw new Failure('cut', '');
    }
    if (isRecord(chunk)) finishReason = hear(chunk, hears) || finishReason;
  });
  const stream = answer.body.getReader();
  const decoder = new TextDecoder();
  try {
    while (!done) {
      const { value, done: ended } = await stream.read();
      if (ended) break;
      connected();
      reader.push(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    void stream.cancel().catch(() => {});
    if (signal.aborted || error instanceof Failure) throw error;
    throw new Failure('cut', '');
  }
  if (!done || !finishReason) throw new Failure('cut', '');
  return { finishReason };
}
