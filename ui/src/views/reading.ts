// Documents that are being read. Reading goes on while one looks at something else; what was stopped or
// cut goes on at the last mark that the server kept.
import { signal } from '@preact/signals';
import { announce } from '../app/announce';
import { t } from '../i18n';
import { readDocument, type Reading, type State } from './server';

export interface Job {
  id: number;
  wish: Reading;
  read: number;
  of: number;
  ms: number;
  running: boolean;
  error: unknown;
  state: State | null;
}

export const jobs = signal<Job[]>([]);
const stops = new Map<number, AbortController>();
let last = 0;

function change(id: number, make: Partial<Job>): void {
  jobs.value = jobs.value.map((job) => (job.id === id ? { ...job, ...make } : job));
}

// One line that says what the text will be asked for stands before it: what comes after is remembered
// less well.
export function startReading({ task, text, ...wish }: Reading & { task: string }): void {
  const id = ++last;
  const whole = task ? `${task}\n\n${text}` : text;
  jobs.value = [{ id, wish: { ...wish, text: whole }, read: 0, of: 0, ms: 0, running: false, error: null, state: null }, ...jobs.value];
  resume(id);
}

export function resume(id: number): void {
  const job = jobs.value.find((one) => one.id === id);
  if (!job || job.running) return;
  const stop = new AbortController();
  stops.set(id, stop);
  const begun = performance.now();
  let first = -1; // what was read before this began is not of its pace
  change(id, { running: true, error: null, ms: 0 });
  readDocument(job.wish, stop.signal, (read, of) => {
    if (first < 0) first = read;
    change(id, { read, of, ms: read > first ? ((performance.now() - begun) * read) / (read - first) : 0 });
  }).then(
    (state) => {
      change(id, { running: false, state, read: state.tokens, of: state.tokens });
      announce(t().documentDone(job.wish.name));
    },
    (error: unknown) => change(id, { running: false, error: stop.signal.aborted ? null : error }),
  );
}

export function stopReading(id: number): void {
  stops.get(id)?.abort();
}

export function forget(id: number): void {
  jobs.value = jobs.value.filter((job) => job.id !== id);
}
