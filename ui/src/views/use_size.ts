// How wide an element is, and how many pixels of the screen one of the page's has: for canvases, which
// are drawn anew when either changes or the colours do.
import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect } from 'preact/hooks';
import { theme } from '../app/appearance';

export interface Size {
  width: number;
  ratio: number;
  colours: number; // counts changes of the theme
}

export function useSize(box: RefObject<HTMLElement | null>): Size {
  const size = useSignal<Size>({ width: 0, ratio: 1, colours: 0 });
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = (): void => {
      size.value = { ...size.value, width: element.clientWidth, ratio: Math.min(3, devicePixelRatio || 1) };
    };
    const recolour = (): void => {
      size.value = { ...size.value, colours: size.value.colours + 1 };
    };
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', recolour);
    const stop = theme.subscribe(() => queueMicrotask(recolour));
    measure();
    return () => {
      watch.disconnect();
      dark.removeEventListener('change', recolour);
      stop();
    };
  }, []);
  return size.value;
}

// A context of `canvas` in units of the page, cleared; and the page's colours by name.
export function begin(canvas: HTMLCanvasElement, width: number, height: number, ratio: number): CanvasRenderingContext2D | null {
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext('2d');
  context?.scale(ratio, ratio);
  return context;
}

export function colourNamed(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || '#888888';
}
