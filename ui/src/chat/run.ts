// One answer while it is being written. The stream fills buffers, a frame hands them to whoever shows them,
// a timer to the store: neither waits for another.
import { signal, type Signal } from '@preact/signals';
import { kept, store } from '../data/library';
import { beginWriting, tabId } from '../data/tabs';
import type { Node, StateRef, Timings, Usage } from '../data/types';
import { streamChat } from '../net/chat';
import { Failure } from '../net/errors';
import type { Made } from './request';

export type Phase =
  | { kind: 'sending' } // nothing has come yet
  | { kind: 'slow' } // nothing for long
  | { kind: 'reading'; percent: number }
  | { kind: 'thinking' }
  | { kind: 'writing' }
  | { kind: 'busy'; until: number; said: string }
  | { kind: 'loading'; said: string };

export interface RunResult {
  status: 'done' | 'stopped' | 'broken' | 'error';
  failure: Failure | null;
}

const kSlow = 20_000;
const kStoreEvery = 1000;
const kTries = 3;
const kBusyWait = 3000;
const kLoadingWait = 2000;

export type Without = 'nothing' | 'earlier turns' | 'any state';
export type Make = (without: Without) => Promise<Made>;

export class Run {
  readonly phase: Signal<Phase> = signal({ kind: 'sending' });
  // Counted for the summary of a thought and the foot.
  readonly pieces = signal(0);
  // About how many tokens are read again because a state is gone.
  readonly rereads = signal(0);
  text: string;
  reasoning: string;
  state: StateRef | undefined;
  usage: Usage | undefined;
  timings: Timings | undefined;
  model: string | undefined;
  thinkMs = 0;
  finishReason = '';
  from: NonNullable<Node['from']> = 'text';
  basis = '';

  private readonly abort = new AbortController();
  private readonly shows = new Set<() => void>();
  private frame = 0;
  private stopped = false;
  private skipWait: (() => void) | null = null;
  private slowTimer: ReturnType<typeof setTimeout> | null = null;
  private thinkingSince = 0;

  constructor(
    readonly node: Node,
    private readonly goesOn: boolean,
  ) {
    this.text = goesOn ? node.content : '';
    this.reasoning = goesOn ? node.reasoning : '';
    this.thinkMs = goesOn ? (node.thinkMs ?? 0) : 0;
  }

  // Called at most once a frame while text comes, and once at the end.
  onShow(show: () => void): () => void {
    this.shows.add(show);
    return () => this.shows.delete(show);
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    this.skipWait?.();
  }

  tryNow(): void {
    this.skipWait?.();
  }

  // `make` is asked again where a state is gone: then without those of earlier turns, and then with what
  // the chat begins with made anew.
  async answer(make: Make): Promise<RunResult> {
    const release = beginWriting(this.node.id);
    const timer = setInterval(() => void this.keep(), kStoreEvery);
    try {
      return await this.attempts(make);
    } finally {
      clearInterval(timer);
      this.quiet();
      release();
      cancelAnimationFrame(this.frame);
      this.show();
    }
  }

  private async attempts(make: Make): Promise<RunResult> {
    let without: Without = 'nothing';
    let tries = 0;
    for (;;) {
      try {
        const made = await make(without);
        if (without !== 'nothing') this.rereads.value = Math.ceil(JSON.stringify(made.body['messages']).length / 4);
        this.from = made.from;
        this.basis = made.basis;
        this.listen();
        const end = await streamChat(made.body, this.hears(), this.abort.signal);
        this.finishReason = end.finishReason;
        return { status: 'done', failure: null };
      } catch (error) {
        if (this.stopped) return { status: 'stopped', failure: null };
        const failure = error instanceof Failure ? error : new Failure('server', error instanceof Error ? error.message : '');
        if (failure.trouble === 'gone' && without !== 'any state') {
          without = without === 'nothing' ? 'earlier turns' : 'any state';
          continue;
        }
        if (failure.trouble === 'busy' && ++tries < kTries) {
          await this.wait(failure.retryAfterMs ?? kBusyWait, (until) => ({ kind: 'busy', until, said: failure.said }));
        } else if (failure.trouble === 'loading') {
          await this.wait(failure.retryAfterMs ?? kLoadingWait, () => ({ kind: 'loading', said: failure.said }));
        } else {
          const begun = this.text !== '' || this.reasoning !== '';
          return { status: begun || failure.trouble === 'cut' ? 'broken' : 'error', failure };
        }
        if (this.stopped) return { status: 'stopped', failure: null };
      }
    }
  }

  private wait(ms: number, phase: (until: number) => Phase): Promise<void> {
    this.quiet();
    this.phase.value = phase(Date.now() + ms);
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.skipWait = null;
        this.phase.value = { kind: 'sending' };
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.skipWait = end;
    });
  }

  private hears(): Parameters<typeof streamChat>[1] {
    return {
      head: () => this.listen(),
      text: (piece) => {
        this.endThought();
        // The blank after the role word belongs to the template, not to the answer.
        this.text += this.text === '' ? piece.replace(/^\s+/, '') : piece;
        this.heard('writing');
      },
      reasoning: (piece) => {
        this.thinkingSince ||= performance.now();
        this.reasoning += this.reasoning === '' ? piece.replace(/^\s+/, '') : piece;
        this.heard('thinking');
      },
      state: (state) => {
        // Of an answer that is gone on with, what stood before it is what stood before its beginning.
        const promptId = this.goesOn ? (this.node.state?.promptId ?? state.promptId) : state.promptId;
        this.state = promptId ? { ...state, promptId } : state;
      },
      model: (name) => (this.model = name),
      progress: (read, of) => {
        this.listen();
        if (of > 0) this.phase.value = { kind: 'reading', percent: Math.floor((100 * read) / of) };
      },
      facts: (usage, timings) => {
        if (usage) this.usage = usage;
        if (timings) this.timings = timings;
      },
    };
  }

  private heard(kind: 'writing' | 'thinking'): void {
    this.quiet();
    if (this.phase.value.kind !== kind) this.phase.value = { kind };
    if (!this.frame) this.frame = requestAnimationFrame(() => this.show());
  }

  private show(): void {
    this.frame = 0;
    this.pieces.value += 1;
    for (const show of this.shows) show();
  }

  private endThought(): void {
    if (!this.thinkingSince) return;
    this.thinkMs += performance.now() - this.thinkingSince;
    this.thinkingSince = 0;
  }

  // Says so when nothing comes for long.
  private listen(): void {
    this.quiet();
    this.slowTimer = setTimeout(() => (this.phase.value = { kind: 'slow' }), kSlow);
  }
  private quiet(): void {
    if (this.slowTimer) clearTimeout(this.slowTimer);
    this.slowTimer = null;
  }

  // What the record of this answer becomes.
  apply(node: Node): void {
    node.content = this.text;
    node.reasoning = this.reasoning;
    node.from = this.from;
    if (this.basis) node.basis = this.basis;
    if (this.state) node.state = this.state;
    if (this.usage) node.usage = this.usage;
    if (this.timings) node.timings = this.timings;
    if (this.model) node.model = this.model;
    if (this.reasoning) {
      this.endThought();
      node.thinkMs = Math.round(this.thinkMs);
    }
  }

  private storedLength = -1;
  private async keep(): Promise<void> {
    const length = this.text.length + this.reasoning.length;
    if (length === this.storedLength) return;
    this.storedLength = length;
    const { text, reasoning, state } = this;
    await kept(
      store().changeNode(this.node.id, (node) => {
        node.content = text;
        node.reasoning = reasoning;
        node.tab = tabId;
        if (state) node.state = state;
      }),
    );
  }
}
