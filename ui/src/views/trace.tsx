// How much each token moved the state, and how little it was expected: the text itself, tinted. The
// numbers are read anew by the server, between what others ask.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { number, t } from '../i18n';
import { colourOf, cssColour, inkOn } from './ramp';
import { trace, type State, type Trace } from './server';
import { Trouble } from './trouble';

const AT_ONCE = 256;

export function TraceStrip({ state }: { state: State }): VNode {
  const words = t();
  const from = useSignal(Math.max(0, state.tokens - AT_ONCE));
  const found = useSignal<Trace | null>(null);
  const error = useSignal<unknown>(null);
  const asking = useSignal<AbortController | null>(null);
  const to = Math.min(state.tokens, from.value + AT_ONCE);

  const ask = async (): Promise<void> => {
    const stop = new AbortController();
    asking.value = stop;
    error.value = null;
    try {
      found.value = await trace(state.id, from.value, to, stop.signal);
    } catch (failed) {
      if (!stop.signal.aborted) error.value = failed;
    }
    if (asking.value === stop) asking.value = null;
  };
  const move = (step: number): void => {
    from.value = Math.max(0, Math.min(state.tokens - 1, from.value + step));
    void ask();
  };

  return (
    <section class="stack" aria-labelledby="state-trace">
      <h2 id="state-trace">{words.traceTitle}</h2>
      <p class="muted">{words.traceHelp}</p>
      <div class="row">
        {found.value && (
          <button type="button" class="button small" disabled={from.value === 0 || asking.value !== null} onClick={() => move(-AT_ONCE)}>
            {words.traceEarlier}
          </button>
        )}
        <span>{words.traceRange(from.value + 1, to, state.tokens)}</span>
        {found.value && (
          <button type="button" class="button small" disabled={to === state.tokens || asking.value !== null} onClick={() => move(AT_ONCE)}>
            {words.traceLater}
          </button>
        )}
        {!found.value && !asking.value && (
          <button type="button" class="button" onClick={() => void ask()}>
            {words.traceShow}
          </button>
        )}
        {asking.value && (
          <>
            <span class="muted" role="status">
              {words.traceReading}
            </span>
            <button type="button" class="button" onClick={() => asking.value?.abort()}>
              {words.stop}
            </button>
          </>
        )}
      </div>
      {error.value !== null && <Trouble error={error.value} again={() => void ask()} />}
      {found.value && <Strip trace={found.value} />}
    </section>
  );
}

// Of each token the mean over the layers, on a scale of logarithms: one token in a hundred moves much.
function movesOf({ moved, layers, pieces }: Trace): number[] {
  return pieces.map((_, at) => {
    const row = moved.subarray(at * layers, (at + 1) * layers);
    return row.reduce((sum, value) => sum + (Number.isFinite(value) ? value : 0), 0) / layers;
  });
}

function Strip({ trace }: { trace: Trace }): VNode {
  const words = t();
  const cursor = useSignal(-1);
  const box = useRef<HTMLDivElement>(null);
  const moves = movesOf(trace);
  const logs = moves.map((value) => Math.log(Math.max(1e-4, value)));
  const low = Math.min(...logs);
  const high = Math.max(...logs);
  const share = (at: number): number => (high > low ? ((logs[at] ?? low) - low) / (high - low) : 0);
  const most = moves.indexOf(Math.max(...moves));
  const tell = (at: number): string => {
    const surprise = trace.surprise[at];
    return words.traceToken(
      trace.from + at + 1,
      visible(trace.pieces[at] ?? ''),
      number((moves[at] ?? 0) * 100, 1),
      surprise === null || surprise === undefined ? '–' : number(surprise, 2),
    );
  };
  const step = (event: KeyboardEvent): void => {
    const last = trace.pieces.length - 1;
    const next = { ArrowRight: cursor.value + 1, ArrowLeft: cursor.value - 1, Home: 0, End: last }[event.key];
    if (next === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    cursor.value = Math.max(0, Math.min(last, next));
    box.current?.children[cursor.value]?.scrollIntoView({ block: 'nearest' });
  };
  return (
    <figure class="figure">
      <div
        ref={box}
        class="strip"
        role="img"
        tabIndex={0}
        dir="auto"
        aria-label={words.traceSummary(trace.pieces.length, visible(trace.pieces[most] ?? ''), number((moves[most] ?? 0) * 100, 1))}
        onKeyDown={step}
      >
        {trace.pieces.map((piece, at) => {
          const colour = colourOf(share(at));
          const surprise = Math.min(1, (trace.surprise[at] ?? 0) / 12);
          return (
            <span
              key={at}
              class={at === cursor.value ? 'chosen' : ''}
              style={{ background: cssColour(colour), color: inkOn(colour), borderBottomWidth: `${Math.round(surprise * 6)}px` }}
              onPointerMove={() => (cursor.value = at)}
            >
              {visible(piece)}
            </span>
          );
        })}
      </div>
      <p class="readout" role="status">
        {cursor.value >= 0 ? tell(cursor.value) : <span class="muted">{words.traceLegend}</span>}
      </p>
    </figure>
  );
}

// A line's end as a mark: a token must be seen to be tinted.
function visible(piece: string): string {
  return piece.replace(/\n/g, '↵').replace(/\t/g, '⇥') || '∅';
}
