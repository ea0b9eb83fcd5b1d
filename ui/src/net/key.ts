// The server's key: in this tab, or on this device if that was asked for. It goes into one header and
// nowhere else: no address, no export, no text of an error.
import { signal } from '@preact/signals';

const kName = 'skein.key';

function read(storage: () => Storage): string | null {
  try {
    return storage().getItem(kName);
  } catch {
    return null;
  }
}

function write(storage: () => Storage, value: string | null): void {
  try {
    if (value === null) storage().removeItem(kName);
    else storage().setItem(kName, value);
  } catch {
    // Without storage the key lasts as long as the page.
  }
}

export const key = signal<string>(read(() => sessionStorage) ?? read(() => localStorage) ?? '');

// '': not asked for; the others stand in place of the conversation.
export const keyTrouble = signal<'' | 'needed' | 'wrong'>('');

export function useKey(value: string, onThisDevice: boolean): void {
  key.value = value;
  keyTrouble.value = '';
  write(() => sessionStorage, value);
  write(() => localStorage, onThisDevice ? value : null);
}

export function forgetKey(): void {
  key.value = '';
  write(() => sessionStorage, null);
  write(() => localStorage, null);
}
