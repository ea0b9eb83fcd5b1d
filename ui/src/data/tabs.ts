// What one tab tells the others: that a chat has changed, and whether it is still writing an answer.
// BroadcastChannel works on plain http as well, where locks do not.
import { newId } from './types';

export const tabId = newId();

type Note =
  | { kind: 'changed'; conv: string; from: string }
  | { kind: 'gone'; conv: string; from: string }
  | { kind: 'writing?'; node: string; from: string }
  | { kind: 'writing'; node: string; from: string };

const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('skein');
const listeners = new Set<(note: Note) => void>();
const writing = new Set<string>();

channel?.addEventListener('message', ({ data }: MessageEvent<Note>) => {
  if (!data || data.from === tabId) return;
  if (data.kind === 'writing?' && writing.has(data.node)) tell({ kind: 'writing', node: data.node, from: tabId });
  for (const listener of listeners) listener(data);
});

function tell(note: Note): void {
  channel?.postMessage(note);
}

export function tellChanged(conv: string): void {
  tell({ kind: 'changed', conv, from: tabId });
}
export function tellGone(conv: string): void {
  tell({ kind: 'gone', conv, from: tabId });
}

export function onOtherTabs(listener: (kind: 'changed' | 'gone', conv: string) => void): () => void {
  const heard = (note: Note): void => {
    if (note.kind === 'changed' || note.kind === 'gone') listener(note.kind, note.conv);
  };
  listeners.add(heard);
  return () => listeners.delete(heard);
}

export function beginWriting(node: string): () => void {
  writing.add(node);
  return () => writing.delete(node);
}

// Whether some tab, this one or another, is writing this node. A tab that does not answer soon is no more.
export function isBeingWritten(node: string, patience = 500): Promise<boolean> {
  if (writing.has(node)) return Promise.resolve(true);
  if (!channel) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      clearTimeout(timer);
      listeners.delete(heard);
      resolve(answer);
    };
    const heard = (note: Note): void => {
      if (note.kind === 'writing' && note.node === node) end(true);
    };
    const timer = setTimeout(() => end(false), patience);
    listeners.add(heard);
    tell({ kind: 'writing?', node, from: tabId });
  });
}
