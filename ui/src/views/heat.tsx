// A number for each layer and head as a picture: rows are layers, the first on top, columns heads. The
// pointer or the arrow keys read a cell; the ten largest have a ring, since colour is never alone.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useId, useMemo, useRef } from 'preact/hooks';
import { download, fileName } from '../app/file';
import { localeTag, number, t } from '../i18n';
import { Fold } from './fold';
import { csvOf, factsOf, type Grid } from './grid';
import { colourOf, cssColour, inkOn } from './ramp';
import { begin, colourNamed, useSize } from './use_size';

interface Props {
  grid: Grid;
  name: string; // what the numbers are, for the summary
  digits?: number;
  low?: number; // the colours' ends, where they are not the least and the largest
  high?: number;
}

const LEFT = 34; // for the layers' numbers
const TOP = 18; // for the heads'

export function Heat({ grid, name, digits = 2, low, high }: Props): VNode {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, ratio, colours } = useSize(box);
  const cursor = useSignal(-1);
  const hint = useId();
  const words = t();
  const facts = useMemo(() => factsOf(grid), [grid]);
  const { layers, heads, values } = grid;
  const from = low ?? facts.least;
  const to = high ?? facts.most;
  const side = Math.max(4, Math.min(26, (width - LEFT) / heads));
  const height = TOP + side * layers + 1;
  const place = (at: number): [number, number] => [Math.floor(at / heads), at % heads];
  const cell = (at: number): string => words.heatCell(...place(at), number(values[at] ?? 0, digits));
  const summary = words.heatSummary(name, layers, heads, number(facts.least, digits), cell(facts.leastAt), number(facts.most, digits), cell(facts.mostAt));

  useEffect(() => {
    if (!canvas.current || width === 0) return;
    const context = begin(canvas.current, width, height, ratio);
    if (!context) return;
    const gap = side >= 9 ? 1 : 0;
    const ring = new Set(facts.largest);
    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.fillStyle = colourNamed('muted');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (let layer = 0; layer < layers; layer += stepFor(layers, side))
      context.fillText(String(layer), LEFT - 7, TOP + (layer + 0.5) * side);
    context.textAlign = 'center';
    for (let head = 0; head < heads; head += stepFor(heads, side))
      context.fillText(String(head), LEFT + (head + 0.5) * side, TOP / 2 - 1);
    values.forEach((value, at) => {
      const [layer, head] = place(at);
      const colour = colourOf(to > from ? (value - from) / (to - from) : 0);
      const x = LEFT + head * side;
      const y = TOP + layer * side;
      context.fillStyle = cssColour(colour);
      context.fillRect(x, y, side - gap, side - gap);
      if (!ring.has(at)) return;
      context.strokeStyle = inkOn(colour);
      context.lineWidth = side >= 12 ? 1.5 : 1;
      context.beginPath();
      context.arc(x + (side - gap) / 2, y + (side - gap) / 2, Math.max(1, side / 4), 0, 2 * Math.PI);
      context.stroke();
    });
    if (cursor.value < 0) return;
    const [layer, head] = place(cursor.value);
    context.strokeStyle = colourNamed('bg');
    context.lineWidth = 4;
    context.strokeRect(LEFT + head * side - 1, TOP + layer * side - 1, side + 1, side + 1);
    context.strokeStyle = colourNamed('text');
    context.lineWidth = 2;
    context.strokeRect(LEFT + head * side - 1, TOP + layer * side - 1, side + 1, side + 1);
  }, [grid, width, ratio, colours, cursor.value, from, to]);

  const onKey = (event: KeyboardEvent): void => {
    const at = Math.max(0, cursor.value);
    const [layer, head] = place(at);
    const next = {
      ArrowRight: head + 1 < heads ? at + 1 : at,
      ArrowLeft: head > 0 ? at - 1 : at,
      ArrowDown: layer + 1 < layers ? at + heads : at,
      ArrowUp: layer > 0 ? at - heads : at,
      Home: layer * heads,
      End: layer * heads + heads - 1,
    }[event.key];
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    cursor.value = cursor.value < 0 ? 0 : next;
  };
  const onPointer = (event: PointerEvent & { currentTarget: HTMLCanvasElement }): void => {
    const frame = event.currentTarget.getBoundingClientRect();
    const head = Math.floor((event.clientX - frame.left - LEFT) / side);
    const layer = Math.floor((event.clientY - frame.top - TOP) / side);
    if (head >= 0 && head < heads && layer >= 0 && layer < layers) cursor.value = layer * heads + head;
  };
  const rank = facts.largest.indexOf(cursor.value);

  return (
    <figure class="figure">
      <div ref={box} class="figure-box">
        <canvas
          ref={canvas}
          class="heat"
          role="img"
          tabIndex={0}
          aria-label={summary}
          aria-describedby={hint}
          onKeyDown={onKey}
          onPointerMove={onPointer}
          onPointerDown={onPointer}
        />
      </div>
      <figcaption>
        <div class="legend">
          <span>{number(from, digits)}</span>
          <span class="legend-ramp" aria-hidden="true">
            <Ramp />
          </span>
          <span>{number(to, digits)}</span>
          <span class="muted legend-ring">{words.heatRing}</span>
        </div>
        <p class="readout" role="status">
          {cursor.value >= 0 ? cell(cursor.value) + (rank >= 0 ? ` · ${words.heatPlace(rank + 1)}` : '') : <span class="muted">{words.heatAxes}</span>}
        </p>
        <p class="hidden" id={hint}>
          {words.heatHint}
        </p>
        <Fold summary={words.figureTable}>
          {() => (
            <>
              <HeatTable grid={grid} name={name} digits={digits} />
              <button type="button" class="button small" onClick={() => download(fileName(name, 'csv'), csvOf(grid), 'text/csv')}>
                {words.figureDownload}
              </button>
            </>
          )}
        </Fold>
      </figcaption>
    </figure>
  );
}

// Numbers at the edge stand apart enough to be read.
function stepFor(count: number, side: number): number {
  const least = Math.ceil(20 / side);
  return [1, 2, 4, 8, 16, 32].find((step) => step >= least || step >= count) ?? 32;
}

function Ramp(): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    for (let at = 0; at < 120; ++at) {
      context.fillStyle = cssColour(colourOf(at / 119));
      context.fillRect(at, 0, 1, 10);
    }
  }, []);
  return <canvas ref={canvas} width={120} height={10} />;
}

function HeatTable({ grid, name, digits }: { grid: Grid; name: string; digits: number }): VNode {
  const { layers, heads, values } = grid;
  const format = new Intl.NumberFormat(localeTag.value, { maximumFractionDigits: digits });
  return (
    <div class="scroll-box" tabIndex={0} role="group" aria-label={name}>
      <table class="numbers">
        <caption class="hidden">{name}</caption>
        <thead>
          <tr>
            <th scope="col">{t().layer}</th>
            {Array.from({ length: heads }, (_, head) => (
              <th scope="col" key={head}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: layers }, (_, layer) => (
            <tr key={layer}>
              <th scope="row">{layer}</th>
              {Array.from({ length: heads }, (_, head) => (
                <td key={head}>{format.format(values[layer * heads + head] ?? 0)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
