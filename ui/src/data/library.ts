// The chats of this browser: the store, the list of them, and what is wrong with either.
import { computed, signal } from '@preact/signals';
import { openStore } from './idb_store';
import { memoryStore } from './memory_store';
import type { Store } from './store';
import { onOtherTabs, tellChanged, tellGone } from './tabs';
import type { Conversation } from './types';

export type StorageTrouble = '' | 'none' | 'full' | 'newer' | 'outdated';

export const storageTrouble = signal<StorageTrouble>('');
export const conversations = signal<Conversation[]>([]);
export const libraryOpen = signal(false);

let current: Store = memoryStore();
export const store = (): Store => current;

const kBinDays = 30;
const day = 24 * 3600 * 1000;

export const shelf = computed(() =>
  conversations.value
    .filter((one) => one.deletedAt === undefined)
    .sort((a, b) => Number(b.pinned) - Number(a.pinned) || b.updated - a.updated || (a.id < b.id ? -1 : 1)),
);
export const bin = computed(() =>
  conversations.value.filter((one) => one.deletedAt !== undefined).sort((a, b) => (b.deletedAt ?? 0) - (a.deletedAt ?? 0)),
);

export async function openLibrary(): Promise<void> {
  try {
    current = await openStore({ onNewerPage: () => (storageTrouble.value = 'outdated') });
    if (current.readOnly) storageTrouble.value = 'newer';
  } catch {
    storageTrouble.value = 'none';
  }
  await refresh();
  libraryOpen.value = true;
  onOtherTabs((kind, conv) => void (kind === 'gone' ? dropped(conv) : refreshOne(conv)));
  await emptyBin();
}

async function refresh(): Promise<void> {
  conversations.value = await current.conversations();
}

async function refreshOne(id: string): Promise<void> {
  const record = await current.conversation(id);
  if (record) shown(record);
  else dropped(id);
}

function dropped(id: string): void {
  conversations.value = conversations.value.filter((one) => one.id !== id);
}

export function shown(record: Conversation): void {
  conversations.value = [...conversations.value.filter((one) => one.id !== record.id), record];
}

// A write that fails for want of room costs nobody what is on the screen: the page goes on in memory.
export async function kept<T>(write: Promise<T>): Promise<T | null> {
  try {
    return await write;
  } catch (error) {
    if (storageTrouble.value === '') storageTrouble.value = error instanceof DOMException && error.name === 'InvalidStateError' ? 'outdated' : 'full';
    return null;
  }
}

export async function change(id: string, make: (record: Conversation) => void): Promise<Conversation | null> {
  const record = await kept(current.changeConversation(id, make));
  if (record) {
    shown(record);
    tellChanged(id);
  }
  return record;
}

export const rename = (id: string, title: string): Promise<unknown> =>
  change(id, (record) => {
    record.title = title;
    record.titledBy = 'user';
  });

export const pin = (id: string, pinned: boolean): Promise<unknown> => change(id, (record) => (record.pinned = pinned));

export const toBin = (id: string): Promise<unknown> => change(id, (record) => (record.deletedAt = Date.now()));

export const fromBin = (id: string): Promise<unknown> => change(id, (record) => delete record.deletedAt);

export async function removeForGood(id: string): Promise<void> {
  await kept(current.removeConversation(id));
  dropped(id);
  tellGone(id);
}

async function emptyBin(): Promise<void> {
  if (current.readOnly) return;
  for (const one of bin.value) if ((one.deletedAt ?? 0) < Date.now() - kBinDays * day) await removeForGood(one.id);
}

// Asked once something is worth keeping; browsers decide by themselves, and plain http has no such thing.
export function askToKeep(): void {
  void navigator.storage?.persist?.().catch(() => false);
}
