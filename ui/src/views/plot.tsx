// Lines over a number of tokens, on an axis of logarithms: a canvas drawn by hand, anew with each point.
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { begin, colourNamed, useSize } from './use_size';

export interface Series {
  name: string;
  colour: 'accent' | 'danger' | 'ok' | 'warn';
  dashed?: boolean;
  points: readonly (readonly [number, number])[]; // x above 0, in order
}

interface Props {
  series: readonly Series[];
  from: number; // the ends of x, powers of ten
  to: number;
  logarithmic?: boolean; // y as well
  words: (value: number) => string; // y
  axis: (value: number) => string; // x
  summary: string;
  height?: number;
}

const LEFT = 64;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;

export function Plot({ series, from, to, logarithmic = false, words, axis, summary, height = 220 }: Props): VNode {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, ratio, colours } = useSize(box);
  useEffect(() => {
    if (!canvas.current || width === 0) return;
    const context = begin(canvas.current, width, height, ratio);
    if (!context) return;
    const ticks = ticksOf(series.flatMap(({ points }) => points.map(([, y]) => y)), logarithmic);
    const low = ticks[0] ?? 0;
    const high = ticks[ticks.length - 1] ?? 1;
    const scale = (y: number): number => (logarithmic ? Math.log(Math.max(y, low)) : y);
    const atX = (x: number): number => LEFT + ((Math.log(x) - Math.log(from)) / (Math.log(to) - Math.log(from))) * (width - LEFT - RIGHT);
    const atY = (y: number): number => height - BOTTOM - ((scale(y) - scale(low)) / (scale(high) - scale(low) || 1)) * (height - TOP - BOTTOM);

    context.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    context.lineWidth = 1;
    context.strokeStyle = colourNamed('line');
    context.fillStyle = colourNamed('muted');
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const tick of ticks) {
      const y = Math.round(atY(tick)) + 0.5;
      line(context, [[LEFT, y], [width - RIGHT, y]]);
      context.fillText(words(tick), LEFT - 8, y);
    }
    context.textBaseline = 'top';
    for (let x = from; x <= to * 1.001; x *= 10) {
      context.textAlign = x === from ? 'left' : x * 10 > to ? 'right' : 'center';
      line(context, [[atX(x), height - BOTTOM], [atX(x), height - BOTTOM + 4]]);
      context.fillText(axis(x), x === from ? atX(x) - 3 : atX(x) + (x * 10 > to ? RIGHT - 2 : 0), height - BOTTOM + 8);
    }
    context.lineWidth = 2;
    context.lineJoin = 'round';
    for (const { points, colour, dashed } of series) {
      context.strokeStyle = context.fillStyle = colourNamed(colour);
      context.setLineDash(dashed ? [6, 4] : []);
      const places = points.filter(([x]) => x >= from).map(([x, y]): [number, number] => [atX(x), atY(y)]);
      line(context, places);
      context.setLineDash([]);
      const last = places[places.length - 1];
      if (!last || dashed) continue;
      context.beginPath();
      context.arc(last[0], last[1], 3.5, 0, 2 * Math.PI);
      context.fill();
    }
  }, [series, from, to, logarithmic, width, ratio, colours, height, words]);
  return (
    <div ref={box} class="figure-box">
      <canvas ref={canvas} role="img" aria-label={summary} />
    </div>
  );
}

function line(context: CanvasRenderingContext2D, places: readonly (readonly [number, number])[]): void {
  context.beginPath();
  places.forEach(([x, y], at) => (at === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
}

// Round numbers below, between and above; from nought where the axis is straight.
export function ticksOf(values: readonly number[], logarithmic: boolean): number[] {
  const known = values.filter((value) => Number.isFinite(value) && value > 0);
  if (known.length === 0) return logarithmic ? [1, 10] : [0, 1];
  const most = known.reduce((a, b) => Math.max(a, b));
  if (logarithmic) {
    const least = known.reduce((a, b) => Math.min(a, b));
    // Steps of 4^n, which are round in bytes.
    const step = Math.log(most / least) / Math.log(4) > 8 ? 32 : 4;
    const ticks = [step ** Math.floor(Math.log(least) / Math.log(step))];
    while (ticks[ticks.length - 1]! < most) ticks.push(ticks[ticks.length - 1]! * step);
    if (ticks.length === 1) ticks.push(ticks[0]! * step);
    return ticks;
  }
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough) ?? rough;
  const ticks = [0];
  while (ticks[ticks.length - 1]! < most) ticks.push(ticks[ticks.length - 1]! + step);
  return ticks;
}
