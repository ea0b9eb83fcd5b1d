// What a request says: which state it goes on from and which messages are new, or, where no state can be
// used, all of the text. Pure, so that each row of the table in docs/page.md is a test.
import type { Conversation, Node } from '../data/types';

export type Aim =
  | { kind: 'answer' } // to the last node of the path, a question
  | { kind: 'retry'; of: Node } // the same question, from before that answer
  | { kind: 'continue'; of: Node }; // that answer, which is the last node of the path

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

export interface Made {
  body: Record<string, unknown>;
  from: NonNullable<Node['from']>;
  basis: string;
}

// The text of a message as it is sent, with what is attached to it.
export type Wording = (node: Node) => string;

export interface Ingredients {
  conversation: Conversation;
  path: readonly Node[];
  aim: Aim;
  wording: Wording;
  // Whether states of earlier turns may be used; false after the server said that one is gone.
  states: boolean;
}

// States rest on more than the text: on what stood before it and on the model.
export function basisOf(conversation: Conversation): string {
  const { model, instructions, mounts, cartridge } = conversation;
  return JSON.stringify([model, instructions, mounts.map((mount) => mount.state), cartridge ?? '']);
}

function usable(node: Node | undefined, basis: string): node is Node {
  return node !== undefined && node.basis === basis;
}

// The state behind an answer is that of its text only if all of it was seen: Stop leaves a few tokens
// more on the server's side. Thoughts are told to no later turn, so an answer with thoughts is read again.
function isExact(node: Node): boolean {
  return node.status === 'done' && node.reasoning === '' && !node.edited && node.state !== undefined;
}

export function thinkFields(think: string): Record<string, unknown> {
  return think === '' ? {} : { think };
}

function messageOf(node: Node, wording: Wording): Message {
  return { role: node.role, content: wording(node) };
}

// What the first turn goes on from.
function beginning(conversation: Conversation): Record<string, unknown> {
  const mount = conversation.mounts.at(-1);
  if (mount) return { parent: mount.state };
  return conversation.cartridge ? { state: conversation.cartridge } : {};
}

function system(conversation: Conversation): Message[] {
  const content = conversation.instructions.trim();
  return content === '' ? [] : [{ role: 'system', content }];
}

interface Start {
  fields: Record<string, unknown>;
  messages: Message[];
  from: Made['from'];
}

function whole({ conversation, path, wording }: Ingredients): Start {
  const spoken = path.filter((node) => node.role !== 'assistant' || node.content !== '');
  return {
    fields: beginning(conversation),
    messages: [...system(conversation), ...spoken.map((node) => messageOf(node, wording))],
    from: spoken.some((node) => node.role === 'assistant') ? 'text' : 'start',
  };
}

function afterEarlierTurn(all: Ingredients): Start | null {
  const { path, wording, conversation } = all;
  const question = path.at(-1);
  const before = path.at(-2);
  if (!question || !before || before.role !== 'assistant' || !usable(before, basisOf(conversation))) return null;
  if (isExact(before))
    return { fields: { parent: before.state!.id }, messages: [messageOf(question, wording)], from: 'state' };
  if (!before.state?.promptId || before.content === '') return null;
  return {
    fields: { parent: before.state.promptId },
    messages: [messageOf(before, wording), messageOf(question, wording)],
    from: 'state',
  };
}

function again({ conversation }: Ingredients, of: Node): Start | null {
  if (!usable(of, basisOf(conversation)) || !of.state?.promptId) return null;
  return { fields: { parent: of.state.promptId }, messages: [], from: 'state' };
}

function further(all: Ingredients, of: Node): Start | null {
  if (!usable(of, basisOf(all.conversation)) || !of.state) return null;
  const whole = !of.edited && of.finishReason === 'length';
  if (whole || (of.reasoning !== '' && of.content === ''))
    return { fields: { parent: of.state.id }, messages: [], from: 'state' };
  if (!of.state.promptId) return null;
  if (of.content === '') return again(all, of);
  return {
    fields: { parent: of.state.promptId, continue_final_message: true },
    messages: [messageOf(of, all.wording)],
    from: 'state',
  };
}

function startOf(all: Ingredients): Start {
  const { aim } = all;
  if (all.states) {
    const start =
      aim.kind === 'retry' ? again(all, aim.of) : aim.kind === 'continue' ? further(all, aim.of) : afterEarlierTurn(all);
    if (start) return start;
    // The question of a retry may still go on from the turn before it.
    if (aim.kind === 'retry') {
      const earlier = afterEarlierTurn(all);
      if (earlier) return earlier;
    }
  }
  const start = whole(all);
  if (aim.kind === 'continue' && aim.of.content !== '')
    start.fields = { ...start.fields, continue_final_message: true };
  return start;
}

export function makeRequest(all: Ingredients, settings: Record<string, unknown>): Made {
  const start = startOf(all);
  return {
    from: start.from,
    basis: basisOf(all.conversation),
    body: {
      ...(all.conversation.model ? { model: all.conversation.model } : {}),
      ...start.fields,
      messages: start.messages,
      stream: true,
      stream_options: { include_usage: true },
      return_state: true,
      return_progress: true,
      ...thinkFields(all.conversation.think),
      ...settings,
    },
  };
}
