// What lies over or beside the page at the moment.
import { signal } from '@preact/signals';

export type Inspector = '' | 'settings' | 'state' | 'documents';

export const menuOpen = signal(false); // the conversations, where there is no room for them
export const inspector = signal<Inspector>('');
export const keysOpen = signal(false);

export function toggleInspector(which: Exclude<Inspector, ''>): void {
  inspector.value = inspector.value === which ? '' : which;
}
