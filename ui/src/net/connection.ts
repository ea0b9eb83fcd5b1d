// Whether the server is there. When it is not, /health is asked now and then, ever more rarely.
import { signal } from '@preact/signals';

export const online = signal(true);

const kFirstWait = 1000;
const kLongestWait = 30_000;
let wait = kFirstWait;
let timer: ReturnType<typeof setTimeout> | null = null;

export function connected(): void {
  wait = kFirstWait;
  online.value = true;
  if (timer) clearTimeout(timer);
  timer = null;
}

export function lost(): void {
  online.value = false;
  if (timer) return;
  timer = setTimeout(() => {
    timer = null;
    wait = Math.min(wait * 2, kLongestWait);
    void look();
  }, wait);
}

export async function look(): Promise<boolean> {
  try {
    await fetch(new URL('health', new URL('.', document.baseURI)), { cache: 'no-store' });
    connected();
    return true;
  } catch {
    lost();
    return false;
  }
}
