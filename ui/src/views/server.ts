// What the views ask of the server, read as what it is: not trusted.
import { ask, askJson, type Question } from '../net/api';
import { Failure, isRecord, saidIn, textOf } from '../net/errors';
import { sseReader } from '../net/sse';
import { gridsOf, halfFloats, type Grid } from './grid';

export interface State {
  id: string;
  name: string;
  parent: string;
  kind: string;
  model: string;
  usable: boolean;
  tokens: number;
  ownTokens: number;
  bytes: number;
  fingerprint: string;
  created: number; // seconds
  lastUsed: number;
  pinned: boolean;
  stage: string;
  tier: string;
}

const numberOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : 0);

export function stateFrom(raw: unknown): State | null {
  if (!isRecord(raw) || textOf(raw['id']) === '') return null;
  return {
    id: textOf(raw['id']),
    name: textOf(raw['name']),
    parent: textOf(raw['parent']),
    kind: textOf(raw['kind']),
    model: textOf(raw['model']),
    usable: raw['usable'] !== false,
    tokens: numberOf(raw['tokens']),
    ownTokens: numberOf(raw['own_tokens']),
    bytes: numberOf(raw['bytes']),
    fingerprint: textOf(raw['fingerprint']),
    created: numberOf(raw['created']),
    lastUsed: numberOf(raw['last_used']),
    pinned: raw['pinned'] === true,
    stage: textOf(raw['stage']),
    tier: textOf(raw['tier']),
  };
}

const path = (id: string): string => `v1/states/${encodeURIComponent(id)}`;

export async function listStates(query = ''): Promise<State[]> {
  const raw = await askJson<unknown>(`v1/states?limit=100${query}`);
  return isRecord(raw) && Array.isArray(raw['data']) ? raw['data'].flatMap((one) => stateFrom(one) ?? []) : [];
}

export async function stateText(id: string): Promise<string> {
  const raw = await askJson<unknown>(path(id));
  return isRecord(raw) ? textOf(raw['text']) : '';
}

async function grids(address: string, fields: number): Promise<Grid[]> {
  const answer = await ask(address, { headers: { Accept: 'application/octet-stream' } });
  const found = gridsOf(await answer.arrayBuffer(), answer.headers.get('x-skein-shape'), fields);
  if (!found) throw new Failure('strange');
  return found;
}

export type Field = 'norm' | 'change' | 'rank';

export async function stats(id: string, field: Field, since: string): Promise<Grid> {
  const more = field === 'change' ? `&since=${encodeURIComponent(since)}` : '';
  return (await grids(`${path(id)}/stats?fields=${field}${more}`, 1))[0]!;
}

export interface Diff {
  commonBytes: number;
  own: string;
  other: string;
  cut: boolean;
}

export async function diffTexts(id: string, other: string): Promise<Diff> {
  const raw = await askJson<unknown>(`${path(id)}/diff?with=${encodeURIComponent(other)}`);
  const text = isRecord(raw) && isRecord(raw['text']) ? raw['text'] : {};
  return { commonBytes: numberOf(text['common_bytes']), own: textOf(text['own']), other: textOf(text['other']), cut: text['cut'] === true };
}

// Relative distance and cosine of each head.
export function diffHeads(id: string, other: string): Promise<Grid[]> {
  return grids(`${path(id)}/diff?with=${encodeURIComponent(other)}&view=heads`, 2);
}

export interface Trace {
  from: number;
  layers: number;
  pieces: string[];
  surprise: (number | null)[];
  moved: Float32Array; // [tokens, layers]
}

export async function trace(id: string, from: number, to: number, signal: AbortSignal): Promise<Trace> {
  const raw = await askJson<unknown>(`${path(id)}/trace?from=${from}&to=${to}`, { signal, headers: { Accept: 'application/json' } });
  if (!isRecord(raw) || !Array.isArray(raw['tokens']) || !Array.isArray(raw['shape'])) throw new Failure('strange');
  const bytes = Uint8Array.from(atob(textOf(raw['data'])), (one) => one.charCodeAt(0));
  const moved = halfFloats(bytes.buffer);
  const layers = numberOf(raw['shape'][1]);
  const tokens = raw['tokens'].filter(isRecord);
  if (layers < 1 || moved.length !== layers * tokens.length) throw new Failure('strange');
  return {
    from: numberOf(raw['from']),
    layers,
    pieces: tokens.map((token) => textOf(token['piece'])),
    surprise: tokens.map((token) => (typeof token['surprise'] === 'number' ? token['surprise'] : null)),
    moved,
  };
}

// The events of a stream, each an object; resolves where it ended as it should.
export async function stream(address: string, question: Question, heard: (event: Record<string, unknown>) => void): Promise<void> {
  const answer = await ask(address, { ...question, headers: { ...question.headers, Accept: 'text/event-stream' } });
  if (!answer.body) throw new Failure('strange');
  let done = false;
  const reader = sseReader(({ data }) => {
    if (data === '[DONE]') {
      done = true;
      return;
    }
    let event: unknown;
    try {
      event = JSON.parse(data);
    } catch {
      throw new Failure('cut');
    }
    const said = saidIn(event);
    if (said) throw new Failure('cut', said.message, said.param, 0, null, said.code);
    if (isRecord(event)) heard(event);
  });
  const body = answer.body.getReader();
  const decoder = new TextDecoder();
  try {
    while (!done) {
      const { value, done: ended } = await body.read();
      if (ended) break;
      reader.push(decoder.decode(value, { stream: true }));
    }
  } catch (error) {
    void body.cancel().catch(() => {});
    if (question.signal?.aborted || error instanceof Failure) throw error;
    throw new Failure('cut');
  }
  if (!done) throw new Failure('cut');
}

export interface Reading {
  text: string;
  name: string;
  pinned: boolean;
  model: string;
}

// Reads a document into a state. Asking again for the same goes on at the last mark.
export async function readDocument(wish: Reading, signal: AbortSignal, progress: (read: number, of: number) => void): Promise<State> {
  let state: State | null = null;
  const json = {
    input: wish.text,
    name: wish.name,
    kind: 'document',
    pinned: wish.pinned,
    stream: true,
    ...(wish.model ? { model: wish.model } : {}),
  };
  await stream('v1/states', { json, signal }, (event) => {
    if (event['object'] === 'state.progress') progress(numberOf(event['tokens_read']), numberOf(event['tokens']));
    state = stateFrom(event['state']) ?? state;
  });
  if (!state) throw new Failure('strange');
  return state;
}

export async function changeState(id: string, json: Record<string, unknown>): Promise<State | null> {
  const raw = await askJson<unknown>(path(id), { method: 'PATCH', json });
  return isRecord(raw) ? stateFrom(raw['state']) : null;
}

export async function deleteState(id: string): Promise<void> {
  await ask(path(id), { method: 'DELETE' });
}

export async function uploadTuned(file: File, name: string): Promise<void> {
  await ask(`v1/states?kind=tuned&name=${encodeURIComponent(name)}`, {
    body: file,
    headers: { 'Content-Type': 'application/octet-stream' },
  });
}

export interface RacePoint {
  tokens: number;
  ms: number;
  rss: number;
  state: number;
}
export interface RaceStart {
  title: string;
  device: string;
  processor: string;
}

export function race(tokens: number, signal: AbortSignal, begun: (start: RaceStart) => void, point: (point: RacePoint) => void): Promise<void> {
  return stream('v1/bench/race', { json: { tokens, points: 240 }, signal }, (event) => {
    if (event['object'] === 'race.begin') {
      begun({
        title: textOf(event['title']) || textOf(event['model']),
        device: textOf(event['device']),
        processor: textOf(event['processor']),
      });
    } else if (event['object'] === 'race.point') {
      point({
        tokens: numberOf(event['tokens']),
        ms: numberOf(event['ms']),
        rss: numberOf(event['rss']),
        state: numberOf(event['state']),
      });
    }
  });
}
