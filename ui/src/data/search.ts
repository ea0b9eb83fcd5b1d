// Finds words in titles and in the text of all branches. Nodes are read in pages, and between them the
// browser has its turn, so that nobody waits for a search of a large store.
import { shelf, store } from './library';

export interface Hit {
  conv: string;
  node: string; // '' where the title has it
  excerpt: string;
}

const kMost = 100;

export function excerptOf(text: string, words: string, around = 32): string {
  const at = text.toLowerCase().indexOf(words.toLowerCase());
  if (at < 0) return '';
  const from = Math.max(0, at - around);
  const to = Math.min(text.length, at + words.length + around);
  const cut = text.slice(from, to).replace(/^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/g, '').replace(/\s+/g, ' ');
  return `${from > 0 ? '…' : ''}${cut}${to < text.length ? '…' : ''}`;
}

// One hit for each chat, in the order of the list.
export async function search(words: string, signal: AbortSignal): Promise<Hit[]> {
  const wanted = words.trim();
  const lower = wanted.toLowerCase();
  const found = new Map<string, Hit>();
  for (const chat of shelf.value)
    if (chat.title.toLowerCase().includes(lower)) found.set(chat.id, { conv: chat.id, node: '', excerpt: '' });
  const visible = new Set(shelf.value.map((chat) => chat.id));
  await store().eachNode((node) => {
    if (signal.aborted) return false;
    if (!visible.has(node.conv) || found.has(node.conv) || !node.content.toLowerCase().includes(lower)) return;
    found.set(node.conv, { conv: node.conv, node: node.id, excerpt: excerptOf(node.content, wanted) });
    return found.size < kMost;
  });
  return shelf.value.flatMap((chat) => found.get(chat.id) ?? []);
}
