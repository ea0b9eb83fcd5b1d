// Chats in IndexedDB, in a database named "skein" whose name never changes: another name is another, empty
// store for whoever upgrades.
import { deleteDB, openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { Draft, Store } from './store';
import type { Blob, Conversation, Node } from './types';

export const kName = 'skein';
export const kVersion = 1;

interface Schema extends DBSchema {
  conversations: { key: string; value: Conversation; indexes: { updated: number } };
  nodes: { key: string; value: Node; indexes: { conv: string; family: [string, string] } };
  blobs: { key: string; value: Blob };
  drafts: { key: string; value: Draft };
  meta: { key: string; value: { key: string; value: unknown } };
}

export interface Opening {
  // A newer page wants to change the database, so this one let go of it.
  onNewerPage: () => void;
}

// Opens it; one that a newer page made is opened as it is, to be read.
export async function openStore({ onNewerPage }: Opening): Promise<Store> {
  let database: IDBPDatabase<Schema>;
  let readOnly = false;
  const whenBlocking = (): void => {
    database.close();
    onNewerPage();
  };
  try {
    database = await openDB<Schema>(kName, kVersion, { upgrade, blocking: whenBlocking });
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'VersionError') throw error;
    database = await openDB<Schema>(kName, undefined, { blocking: whenBlocking });
    readOnly = true;
  }
  return storeOf(database, readOnly);
}

export const removeStore = (): Promise<void> => deleteDB(kName);

function upgrade(database: IDBPDatabase<Schema>): void {
  database.createObjectStore('conversations', { keyPath: 'id' }).createIndex('updated', 'updated');
  const nodes = database.createObjectStore('nodes', { keyPath: 'id' });
  nodes.createIndex('conv', 'conv');
  // Roots have no parent and so are not in it, as null is no key.
  nodes.createIndex('family', ['conv', 'parent'] as unknown as string);
  database.createObjectStore('blobs', { keyPath: 'id' });
  database.createObjectStore('drafts', { keyPath: 'conv' });
  database.createObjectStore('meta', { keyPath: 'key' });
}

function storeOf(database: IDBPDatabase<Schema>, readOnly: boolean): Store {
  return {
    readOnly,
    conversations: () => database.getAll('conversations'),
    conversation: async (id) => (await database.get('conversations', id)) ?? null,
    nodes: (conv) => database.getAllFromIndex('nodes', 'conv', conv),

    async addConversation(conversation, nodes, blobs = []) {
      const transaction = database.transaction(['conversations', 'nodes', 'blobs'], 'readwrite');
      const writes: Promise<unknown>[] = [transaction.objectStore('conversations').add(conversation)];
      for (const node of nodes) writes.push(transaction.objectStore('nodes').add(node));
      for (const blob of blobs) writes.push(transaction.objectStore('blobs').put(blob));
      await Promise.all([...writes, transaction.done]);
    },

    async addNodes(conv, nodes, change, blobs = []) {
      const transaction = database.transaction(['conversations', 'nodes', 'blobs'], 'readwrite', { durability: 'strict' });
      const record = await transaction.objectStore('conversations').get(conv);
      if (!record) return null;
      const writes: Promise<unknown>[] = [];
      for (const node of nodes) {
        if (node.seq === 0) node.seq = record.nextSeq++;
        writes.push(transaction.objectStore('nodes').put(node));
      }
      for (const blob of blobs) writes.push(transaction.objectStore('blobs').put(blob));
      change(record);
      record.rev += 1;
      writes.push(transaction.objectStore('conversations').put(record));
      await Promise.all([...writes, transaction.done]);
      return record;
    },

    async changeConversation(id, change) {
      const transaction = database.transaction('conversations', 'readwrite');
      const record = await transaction.store.get(id);
      if (!record) return null;
      change(record);
      record.rev += 1;
      await Promise.all([transaction.store.put(record), transaction.done]);
      return record;
    },

    async changeNode(id, change, last = false) {
      const transaction = database.transaction('nodes', 'readwrite', { durability: last ? 'strict' : 'relaxed' });
      const node = await transaction.store.get(id);
      if (!node) return null;
      change(node);
      await Promise.all([transaction.store.put(node), transaction.done]);
      return node;
    },

    async removeNodes(conv, ids, change) {
      const transaction = database.transaction(['conversations', 'nodes'], 'readwrite');
      const record = await transaction.objectStore('conversations').get(conv);
      const writes: Promise<unknown>[] = ids.map((id) => transaction.objectStore('nodes').delete(id));
      if (record) {
        change(record);
        record.rev += 1;
        writes.push(transaction.objectStore('conversations').put(record));
      }
      await Promise.all([...writes, transaction.done]);
      return record ?? null;
    },

    async removeConversation(id) {
      const transaction = database.transaction(['conversations', 'nodes', 'blobs', 'drafts'], 'readwrite');
      const nodes = await transaction.objectStore('nodes').index('conv').getAll(id);
      const writes: Promise<unknown>[] = [
        transaction.objectStore('conversations').delete(id),
        transaction.objectStore('drafts').delete(id),
      ];
      for (const node of nodes) {
        writes.push(transaction.objectStore('nodes').delete(node.id));
        for (const { blob } of node.attachments ?? []) writes.push(transaction.objectStore('blobs').delete(blob));
      }
      await Promise.all([...writes, transaction.done]);
    },

    // In pages, so that a search through all chats never holds them at once nor stalls the page.
    async eachNode(visit) {
      let after: string | null = null;
      for (;;) {
        const page: Node[] = await database.getAll('nodes', after === null ? null : IDBKeyRange.lowerBound(after, true), 200);
        for (const node of page) if (visit(node) === false) return;
        const last = page.at(-1);
        if (!last || page.length < 200) return;
        after = last.id;
      }
    },

    blob: async (id) => (await database.get('blobs', id)) ?? null,
    draft: async (conv) => (await database.get('drafts', conv)) ?? null,
    async setDraft(draft) {
      if (draft.text === '' && draft.attachments.length === 0) await database.delete('drafts', draft.conv);
      else await database.put('drafts', draft);
    },
    meta: async <T>(key: string) => ((await database.get('meta', key))?.value as T | undefined) ?? null,
    async setMeta(key, value) {
      await database.put('meta', { key, value });
    },
  };
}
