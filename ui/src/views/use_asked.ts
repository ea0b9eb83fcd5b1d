// An answer of the server for what is shown: asked anew when `of` changes; the last question wins.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

export interface Asked<T> {
  value: T | null;
  error: unknown;
  busy: boolean;
  again: () => void;
}

export function useAsked<T>(ask: ((signal: AbortSignal) => Promise<T>) | null, of: readonly unknown[]): Asked<T> {
  const value = useSignal<T | null>(null);
  const error = useSignal<unknown>(null);
  const busy = useSignal(false);
  const round = useSignal(0);
  useEffect(() => {
    value.value = null;
    error.value = null;
    busy.value = ask !== null;
    if (!ask) return;
    const stop = new AbortController();
    ask(stop.signal).then(
      (found) => {
        if (stop.signal.aborted) return;
        value.value = found;
        busy.value = false;
      },
      (failed: unknown) => {
        if (stop.signal.aborted) return;
        error.value = failed;
        busy.value = false;
      },
    );
    return () => stop.abort();
  }, [...of, round.value]);
  return { value: value.value, error: error.value, busy: busy.value, again: () => (round.value += 1) };
}
