import type { Blob, Conversation, Node } from './types';

// A conversation with all that belongs to it, as it leaves this browser or comes in.
export interface Bundle {
  conversation: Conversation;
  nodes: Node[];
  blobs: Blob[];
}
