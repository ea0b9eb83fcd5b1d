// A message as it is told to the model: what is attached stands before what is asked, each text under its
// name. The texts lie in the store, so they are fetched first.
import { store } from '../data/library';
import type { Blob, Node } from '../data/types';
import type { Wording } from './request';

// Texts of this page's life, for a store that had no room for them.
const fresh = new Map<string, Blob>();

export function remembering(blobs: readonly Blob[]): void {
  for (const blob of blobs) fresh.set(blob.id, blob);
}

export function worded(content: string, attached: readonly { name: string; text: string }[]): string {
  const parts = attached.map(({ name, text }) => `${name}:\n${text.trimEnd()}`);
  return [...parts, content].filter((part) => part !== '').join('\n\n');
}

export async function wordingOf(path: readonly Node[]): Promise<Wording> {
  const texts = new Map<string, { name: string; text: string }[]>();
  for (const node of path) {
    const found = await Promise.all((node.attachments ?? []).map(async ({ blob }) => fresh.get(blob) ?? store().blob(blob)));
    texts.set(node.id, found.filter((blob) => blob !== null));
  }
  return (node) => worded(node.content, texts.get(node.id) ?? []);
}
