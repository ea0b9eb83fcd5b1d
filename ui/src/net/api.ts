// Requests to the server that the page came from, below whatever path it is at.
import { Failure, failureOf } from './errors';
import { key, keyTrouble } from './key';
import { connected, lost } from './connection';

export const base = new URL('.', document.baseURI);

export function addressOf(path: string): string {
  return new URL(path.replace(/^\//, ''), base).href;
}

export interface Question {
  method?: string;
  json?: unknown;
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

// The answer's head, or a Failure. An abort is the caller's own and comes out as it is.
export async function ask(path: string, question: Question = {}): Promise<Response> {
  const headers: Record<string, string> = { ...question.headers };
  if (key.value) headers['Authorization'] = `Bearer ${key.value}`;
  let body = question.body;
  if (question.json !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(question.json);
  }
  let answer: Response;
  try {
    answer = await fetch(addressOf(path), {
      method: question.method ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      body: body ?? null,
      signal: question.signal ?? null,
      credentials: 'same-origin',
      redirect: 'error',
      cache: 'no-store',
    });
  } catch (error) {
    if (question.signal?.aborted) throw error;
    lost();
    throw new Failure('offline');
  }
  connected();
  if (answer.ok) return answer;
  const failure = failureOf(answer.status, answer.headers, await answer.text().catch(() => ''));
  if (failure.trouble === 'key') keyTrouble.value = key.value ? 'wrong' : 'needed';
  throw failure;
}

export async function askJson<T>(path: string, question: Question = {}): Promise<T> {
  const answer = await ask(path, question);
  try {
    return (await answer.json()) as T;
  } catch (error) {
    if (question.signal?.aborted) throw error;
    throw new Failure('strange');
  }
}
