// Chats in the page's memory: for a browser that keeps nothing, and for tests.
import type { Draft, Store } from './store';
import type { Blob, Conversation, Node } from './types';

export function memoryStore(): Store {
  const conversations = new Map<string, Conversation>();
  const nodes = new Map<string, Node>();
  const blobs = new Map<string, Blob>();
  const drafts = new Map<string, Draft>();
  const meta = new Map<string, unknown>();
  const copy = <T>(value: T | undefined): T | null => (value === undefined ? null : structuredClone(value));
  const changed = <T extends { rev?: number }>(map: Map<string, T>, id: string, change: (value: T) => void): T | null => {
    const value = map.get(id);
    if (!value) return null;
    change(value);
    if (value.rev !== undefined) value.rev += 1;
    return copy(value);
  };
  return {
    readOnly: false,
    conversations: async () => structuredClone([...conversations.values()]),
    conversation: async (id) => copy(conversations.get(id)),
    nodes: async (conv) => structuredClone([...nodes.values()].filter((node) => node.conv === conv)),
    async addConversation(conversation, list, texts = []) {
      conversations.set(conversation.id, structuredClone(conversation));
      for (const node of list) nodes.set(node.id, structuredClone(node));
      for (const blob of texts) blobs.set(blob.id, blob);
    },
    async addNodes(conv, list, change, texts = []) {
      return changed(conversations, conv, (record) => {
        for (const node of list) {
          if (node.seq === 0) node.seq = record.nextSeq++;
          nodes.set(node.id, structuredClone(node));
        }
        for (const blob of texts) blobs.set(blob.id, blob);
        change(record);
      });
    },
    changeConversation: async (id, change) => changed(conversations, id, change),
    changeNode: async (id, change) => changed(nodes as Map<string, Node & { rev?: number }>, id, change),
    async removeNodes(conv, ids, change) {
      for (const id of ids) nodes.delete(id);
      return changed(conversations, conv, change);
    },
    async removeConversation(id) {
      conversations.delete(id);
      drafts.delete(id);
      for (const node of [...nodes.values()]) if (node.conv === id) nodes.delete(node.id);
    },
    async eachNode(visit) {
      for (const node of nodes.values()) if (visit(structuredClone(node)) === false) return;
    },
    blob: async (id) => copy(blobs.get(id)),
    draft: async (conv) => copy(drafts.get(conv)),
    async setDraft(draft) {
      if (draft.text === '' && draft.attachments.length === 0) drafts.delete(draft.conv);
      else drafts.set(draft.conv, structuredClone(draft));
    },
    meta: async <T>(key: string) => copy(meta.get(key) as T | undefined),
    async setMeta(key, value) {
      meta.set(key, structuredClone(value));
    },
  };
}
