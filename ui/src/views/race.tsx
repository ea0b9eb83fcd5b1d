// Constant time: this server writes up to a million tokens while one watches that neither the time for a
// token nor the memory grows. Beside it what a Transformer's cache would be, which is computed.
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { announce } from '../app/announce';
import { bytes, localeTag, number, seconds, t } from '../i18n';
import { modelNamed } from '../net/boot';
import { Figures } from './figures';
import { Fold } from './fold';
import { Plot, type Series } from './plot';
import { race, type RacePoint, type RaceStart } from './server';
import { Trouble } from './trouble';

// Keys and values of Llama-3.1-8B: 32 layers, 8 heads of 128 numbers, two bytes each, twice.
export const CACHE_PER_TOKEN = 32 * 8 * 128 * 2 * 2;
const LENGTHS = [1000, 10_000, 100_000, 1_000_000];

interface Run {
  wanted: number;
  start: RaceStart | null;
  points: RacePoint[];
  begun: number;
  ended: '' | 'whole' | 'stopped';
}

// It goes on while one looks at something else.
const run = signal<Run | null>(null);
const stopping = signal<AbortController | null>(null);
const error = signal<unknown>(null);
const wanted = signal(100_000);

async function begin(): Promise<void> {
  const stop = new AbortController();
  stopping.value = stop;
  error.value = null;
  run.value = { wanted: wanted.value, start: null, points: [], begun: Date.now(), ended: '' };
  announce(t().raceRunning);
  const change = (make: Partial<Run>): void => {
    if (run.value) run.value = { ...run.value, ...make };
  };
  // Points may come by the hundred in a moment; a frame shows them together.
  let waiting: RacePoint[] = [];
  const show = (): void => {
    if (waiting.length === 0 || !run.value) return;
    change({ points: [...run.value.points, ...waiting] });
    waiting = [];
  };
  try {
    await race(
      wanted.value,
      stop.signal,
      (start) => change({ start }),
      (point) => {
        if (waiting.push(point) === 1) setTimeout(show, 50);
      },
    );
    show();
    change({ ended: 'whole' });
  } catch (failed) {
    show();
    change({ ended: 'stopped' });
    if (!stop.signal.aborted) error.value = failed;
  }
  stopping.value = null;
  announce(t().raceDone);
}

export default function RaceView(): VNode {
  const words = t();
  const shown = run.value;
  const model = modelNamed('');
  const stateBytes = shown?.points[0]?.state ?? model?.stateBytes ?? 0;
  return (
    <div class="stack wide-gap">
      <section class="stack" aria-labelledby="race-title">
        <h2 id="race-title">{words.raceTitle}</h2>
        <p class="prose">{words.raceIntro}</p>
        <div class="row">
          <label class="labelled">
            <span>{words.raceLength}</span>
            <select
              value={String(wanted.value)}
              disabled={stopping.value !== null}
              onChange={(event) => (wanted.value = Number(event.currentTarget.value))}
            >
              {LENGTHS.map((one) => (
                <option value={one} key={one}>
                  {words.tokens(one)}
                </option>
              ))}
            </select>
          </label>
          {stopping.value ? (
            <button type="button" class="button" onClick={() => stopping.value?.abort()}>
              {words.stop}
            </button>
          ) : (
            <button type="button" class="button primary" onClick={() => void begin()}>
              {shown ? words.raceAgain : words.raceStart}
            </button>
          )}
        </div>
        <p class="muted small">{words.racePolite}</p>
        {error.value !== null && <Trouble error={error.value} />}
      </section>
      {shown && <Result shown={shown} />}
      {stateBytes > 0 && <p class="prose muted">{words.raceHonest(bytes(stateBytes), number(Math.max(1, Math.round(stateBytes / CACHE_PER_TOKEN))))}</p>}
    </div>
  );
}

// Tokens a second between two points.
export function speeds(points: readonly RacePoint[]): [number, number][] {
  const out: [number, number][] = [];
  let before: RacePoint = { tokens: 0, ms: 0, rss: 0, state: 0 };
  for (const point of points) {
    const ms = point.ms - before.ms;
    // Steps of a token or two say more of the clock than of the model.
    if (ms < 1 && point !== points[points.length - 1]) continue;
    if (point.tokens > before.tokens && ms > 0) out.push([point.tokens, ((point.tokens - before.tokens) * 1000) / ms]);
    before = point;
  }
  return out;
}

const compact = (value: number): string =>
  new Intl.NumberFormat(localeTag.value, { notation: 'compact', maximumFractionDigits: 1 }).format(value);

function Result({ shown }: { shown: Run }): VNode {
  const words = t();
  const { points } = shown;
  const last = points[points.length - 1];
  const rates = speeds(points);
  const rate: Series[] = [{ name: words.raceSpeed, colour: 'accent', points: rates }];
  const memory: Series[] = [
    { name: words.raceProcess, colour: 'accent', points: points.map(({ tokens, rss }) => [tokens, rss]) },
    { name: words.raceState, colour: 'ok', points: points.map(({ tokens, state }) => [tokens, state]) },
    {
      name: words.raceCache,
      colour: 'danger',
      dashed: true,
      points: marksTo(shown.wanted).map((tokens) => [tokens, tokens * CACHE_PER_TOKEN]),
    },
  ];
  const total = last ? (last.tokens * 1000) / Math.max(1, last.ms) : 0;
  return (
    <>
      <section class="stack" aria-labelledby="race-result">
        <h2 id="race-result">{shown.start?.title || words.race}</h2>
        <p class="muted">
          {[shown.start?.processor, shown.start?.device, new Intl.DateTimeFormat(localeTag.value, { dateStyle: 'medium', timeStyle: 'short' }).format(shown.begun)]
            .filter((part) => part)
            .join(' · ')}
        </p>
        <div class="progress" role="progressbar" aria-label={words.race} aria-valuemin={0} aria-valuemax={shown.wanted} aria-valuenow={last?.tokens ?? 0}>
          <span style={{ width: `${((last?.tokens ?? 0) / shown.wanted) * 100}%` }} />
        </div>
        <Figures
          rows={[
            [words.raceWritten, number(last?.tokens ?? 0)],
            [words.raceTime, seconds(last?.ms ?? 0)],
            [words.raceMean, words.speed(Number(total.toFixed(total < 10 ? 1 : 0)))],
            [words.raceProcess, bytes(last?.rss ?? 0)],
            [words.raceCacheNow, bytes((last?.tokens ?? 0) * CACHE_PER_TOKEN)],
          ]}
        />
        {shown.ended === 'stopped' && <p class="muted">{words.raceStopped}</p>}
      </section>
      <section class="stack" aria-labelledby="race-speed">
        <h2 id="race-speed">{words.raceSpeed}</h2>
        <figure class="figure">
          <Plot series={rate} from={1} to={shown.wanted} words={compact} axis={compact} summary={words.raceSpeedSummary(rates.length, compact(rates[0]?.[1] ?? 0), compact(rates[rates.length - 1]?.[1] ?? 0))} />
          <figcaption class="muted">{words.raceSpeedHelp}</figcaption>
        </figure>
      </section>
      <section class="stack" aria-labelledby="race-memory">
        <h2 id="race-memory">{words.raceMemory}</h2>
        <figure class="figure">
          <Plot series={memory} from={1} to={shown.wanted} logarithmic words={bytes} axis={compact} summary={words.raceMemorySummary(bytes(last?.rss ?? 0), bytes(shown.wanted * CACHE_PER_TOKEN), compact(shown.wanted))} height={260} />
          <figcaption>
            <ul class="keys-of-lines">
              {memory.map(({ name, colour, dashed }) => (
                <li key={name}>
                  <span class={`swatch ${colour} ${dashed ? 'dashed' : ''}`} aria-hidden="true" />
                  {name}
                </li>
              ))}
            </ul>
            <p class="muted">{words.raceMemoryHelp}</p>
            <Fold summary={words.figureTable}>{() => <PointTable points={points} />}</Fold>
          </figcaption>
        </figure>
      </section>
    </>
  );
}

function marksTo(most: number): number[] {
  const out: number[] = [];
  for (let mark = 1; mark < most; mark *= 2) out.push(mark);
  return [...out, most];
}

function PointTable({ points }: { points: readonly RacePoint[] }): VNode {
  const words = t();
  const every = Math.max(1, Math.ceil(points.length / 40));
  const rows = points.filter((_, at) => at % every === 0 || at === points.length - 1);
  return (
    <div class="scroll-box" tabIndex={0} role="group" aria-label={words.raceMemory}>
      <table class="numbers">
        <thead>
          <tr>
            <th scope="col">{words.raceWritten}</th>
            <th scope="col">{words.raceTime}</th>
            <th scope="col">{words.raceProcess}</th>
            <th scope="col">{words.raceState}</th>
            <th scope="col">{words.raceCache}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((point) => (
            <tr key={point.tokens}>
              <th scope="row">{number(point.tokens)}</th>
              <td>{seconds(point.ms)}</td>
              <td>{bytes(point.rss)}</td>
              <td>{bytes(point.state)}</td>
              <td>{bytes(point.tokens * CACHE_PER_TOKEN)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
