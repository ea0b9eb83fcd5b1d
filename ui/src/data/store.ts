// Where chats are kept, whatever is behind it: IndexedDB, or the page's own memory where a browser keeps
// nothing. What has to happen together happens in one transaction; a record is changed where it lies, by
// what another tab may have made of it meanwhile, and never written back from memory.
import type { Blob, Conversation, Node } from './types';

export interface Draft {
  conv: string; // '' is the new chat
  text: string;
  attachments: { name: string; text: string }[];
}

export interface Store {
  readonly readOnly: boolean;
  conversations(): Promise<Conversation[]>;
  conversation(id: string): Promise<Conversation | null>;
  nodes(conv: string): Promise<Node[]>;
  // Adds a conversation that is not there yet, with its nodes.
  addConversation(conversation: Conversation, nodes: Node[], blobs?: Blob[]): Promise<void>;
  // Keeps nodes with the change, at once, and gives those that have no place in the order (seq 0) one.
  addNodes(conv: string, nodes: Node[], change: Change<Conversation>, blobs?: Blob[]): Promise<Conversation | null>;
  changeConversation(id: string, change: Change<Conversation>): Promise<Conversation | null>;
  // `last`: it is on the disk when this resolves.
  changeNode(id: string, change: Change<Node>, last?: boolean): Promise<Node | null>;
  removeNodes(conv: string, ids: string[], change: Change<Conversation>): Promise<Conversation | null>;
  removeConversation(id: string): Promise<void>;
  eachNode(visit: (node: Node) => void | boolean): Promise<void>;
  blob(id: string): Promise<Blob | null>;
  draft(conv: string): Promise<Draft | null>;
  setDraft(draft: Draft): Promise<void>;
  meta<T>(key: string): Promise<T | null>;
  setMeta(key: string, value: unknown): Promise<void>;
}

export type Change<T> = (value: T) => void;
