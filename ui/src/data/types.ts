// What is kept of a chat. A node knows its parent and nothing of its children: two records of one fact
// can come to differ. `seq` orders siblings, since clocks are set back; `created` is only shown.
export type Role = 'system' | 'user' | 'assistant';
export type Status = 'draft' | 'streaming' | 'done' | 'stopped' | 'broken' | 'error';

export interface StateRef {
  id: string; // behind the answer
  promptId?: string; // before it
  tokens?: number;
  bytes?: number;
  fingerprint?: string;
}

export interface Usage {
  prompt: number;
  completion: number;
  cached: number;
  reasoning: number;
}

export interface Timings {
  promptMs?: number;
  predictedMs?: number;
  perSecond?: number;
}

export interface Attachment {
  name: string;
  blob: string; // id in the store of blobs
  chars: number;
}

// What a request said beside its messages; absent is the server's or the profile's own.
export type Settings = Record<string, number | string | boolean | string[]>;

export interface Node {
  id: string;
  conv: string;
  parent: string | null;
  seq: number;
  role: Role;
  content: string;
  reasoning: string;
  status: Status;
  created: number;
  finishReason?: string;
  usage?: Usage;
  timings?: Timings;
  thinkMs?: number;
  settings?: Settings;
  model?: string;
  state?: StateRef;
  // How the request began: with the state of what stood before, with all of the text, or at the start of
  // a chat, where nothing stood before.
  from?: 'state' | 'text' | 'start';
  // What the state rests on beside the text (basisOf): of another model or instructions it is of no use.
  basis?: string;
  editedFrom?: string;
  edited?: boolean;
  error?: string;
  attachments?: Attachment[];
  tab?: string; // the tab that is writing it
}

// A document that was read once: the chat's first turn goes on from its state. `blob` is the text as it was
// read, from which the state is made again where it is gone.
export interface Mount {
  name: string;
  state: string;
  tokens?: number;
  fingerprint?: string;
  blob?: string;
  sha256?: string;
}

export interface Conversation {
  id: string;
  title: string;
  titledBy: 'question' | 'user' | 'import';
  created: number;
  updated: number;
  leaf: string | null; // where it is opened
  lastLeaf: Record<string, string>; // of a fork, the leaf last shown below it
  nextSeq: number;
  profile: string;
  settings: Settings;
  think: string; // '' is the server's own
  model: string; // '' is the only one
  instructions: string;
  mounts: Mount[];
  cartridge?: string;
  pinned: boolean;
  deletedAt?: number;
  rev: number;
}

export interface Blob {
  id: string;
  name: string;
  text: string;
  sha256?: string;
}

// 20 characters from what is random also where a page is not a "secure context" (plain http on a LAN).
export function newId(): string {
  const alphabet = 'abcdefghijkmnpqrstuvwxyz23456789';
  return Array.from(crypto.getRandomValues(new Uint8Array(20)), (byte) => alphabet[byte & 31]).join('');
}

export function newConversation(now = Date.now()): Conversation {
  return {
    id: newId(),
    title: '',
    titledBy: 'question',
    created: now,
    updated: now,
    leaf: null,
    lastLeaf: {},
    nextSeq: 1,
    profile: '',
    settings: {},
    think: '',
    model: '',
    instructions: '',
    mounts: [],
    pinned: false,
    rev: 0,
  };
}

// The first words of a question, as a title.
export function titleOf(question: string, limit = 48): string {
  const line = question.replace(/\s+/g, ' ').trim();
  const characters = [...line];
  if (characters.length <= limit) return line;
  const cut = characters.slice(0, limit).join('');
  const space = cut.lastIndexOf(' ');
  return `${space > limit / 2 ? cut.slice(0, space) : cut}…`;
}
