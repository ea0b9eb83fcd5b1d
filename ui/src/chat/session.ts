// The chat that is open in this tab: its record, its tree and where in it one is. The place is this tab's
// own, so that two tabs may read two branches of one chat.
import { computed, effect, signal } from '@preact/signals';
import { goQuietly, route } from '../app/router';
import { change, conversations, kept, shown, store } from '../data/library';
import { rememberedText, remember } from '../data/local';
import { isBeingWritten, onOtherTabs, tellChanged } from '../data/tabs';
import { leafBelow, makeTree, pathTo, siblingsOf, withLastLeaf, type Tree } from '../data/tree';
import { newConversation, type Conversation, type Node } from '../data/types';
import type { Run } from './run';

const kEmpty = makeTree([]);

// A chat that has not been written to yet is in no store; it begins with what was chosen last.
function blank(): Conversation {
  const conversation = newConversation();
  try {
    const { profile, settings, think, model, instructions } = JSON.parse(rememberedText('defaults') ?? '{}');
    if (typeof profile === 'string') conversation.profile = profile;
    if (typeof think === 'string') conversation.think = think;
    if (typeof model === 'string') conversation.model = model;
    if (typeof instructions === 'string') conversation.instructions = instructions;
    if (typeof settings === 'object' && settings !== null) conversation.settings = settings;
  } catch {
    // Not ours, or damaged: begin without.
  }
  return conversation;
}

export const conversation = signal<Conversation>(blank());
export const isNew = signal(true);
export const missing = signal(false); // the address names a chat that is not here
export const tree = signal<Tree>(kEmpty);
export const leaf = signal<string | null>(null);
export const path = computed(() => pathTo(tree.value, leaf.value));
export const runs = signal<ReadonlyMap<string, Run>>(new Map()); // by conversation
export const run = computed(() => (isNew.value ? undefined : runs.value.get(conversation.value.id)));

export function openBlank(): void {
  conversation.value = blank();
  tree.value = kEmpty;
  leaf.value = null;
  isNew.value = true;
  missing.value = false;
}

// A document or a state is mounted before the first message, so the chat gets its place only with that.
export function becomeReal(record: Conversation): void {
  conversation.value = record;
  isNew.value = false;
  shown(record);
  goQuietly('c', record.id);
}

// The turn that a search has found, to be brought into sight once it is drawn.
export const marked = signal<string | null>(null);

// A place is where one stands, so that a reload finds the same branch; a found one is shown with what follows.
function stand(place: string | null, found: boolean, record: Conversation): void {
  const known = place !== null && tree.value.nodes.has(place) ? place : null;
  leaf.value = known !== null && found ? leafBelow(tree.value, known, record.lastLeaf) : (known ?? record.leaf ?? null);
  if (found) marked.value = known;
}

export async function open(id: string, place: string | null, found: boolean): Promise<void> {
  if (!isNew.value && conversation.value.id === id && !missing.value) {
    if (place !== null) stand(place, found, conversation.value);
    return;
  }
  const isWanted = (): boolean => route.peek().name === 'c' && route.peek().args[0] === id;
  const [record, nodes] = await Promise.all([store().conversation(id), store().nodes(id)]);
  if (!isWanted()) return;
  if (!record) {
    openBlank();
    missing.value = true;
    return;
  }
  conversation.value = record;
  isNew.value = false;
  missing.value = false;
  tree.value = makeTree(nodes.map(withRun));
  stand(place, found, record);
  await mendBroken(id, nodes);
}

// A node that this tab is writing is newer here than in the store.
function withRun(node: Node): Node {
  const writing = runs.value.get(node.conv);
  return writing?.node.id === node.id ? writing.node : node;
}

// An answer that nobody writes any more was cut off when its page closed.
async function mendBroken(conv: string, nodes: readonly Node[]): Promise<void> {
  for (const node of nodes) {
    if (node.status !== 'streaming' || (await isBeingWritten(node.id))) continue;
    const mended = await kept(
      store().changeNode(node.id, (record) => {
        if (record.status === 'streaming') record.status = 'broken';
      }),
    );
    if (mended && conversation.value.id === conv) replaceNodes([mended]);
  }
}

export function replaceNodes(nodes: readonly Node[]): void {
  const all = new Map(tree.value.nodes);
  for (const node of nodes) all.set(node.id, node);
  tree.value = makeTree(all.values());
}

export function dropNodes(ids: readonly string[]): void {
  const all = new Map(tree.value.nodes);
  for (const id of ids) all.delete(id);
  tree.value = makeTree(all.values());
}

// Moves to another place; costs nothing and asks the server nothing.
export function goTo(place: string | null): void {
  leaf.value = place;
  if (isNew.value) return;
  const { id } = conversation.value;
  const known = tree.value;
  void change(id, (record) => {
    record.leaf = place;
    if (place !== null) record.lastLeaf = withLastLeaf(known, record.lastLeaf, place);
  }).then((record) => {
    if (record && conversation.value.id === id) conversation.value = record;
  });
  if (route.peek().name === 'c') goQuietly('c', id, place ?? '');
}

export function goToVersion(node: Node, step: number): Node | null {
  const siblings = siblingsOf(tree.value, node);
  const next = siblings[siblings.indexOf(node) + step];
  if (!next) return null;
  goTo(leafBelow(tree.value, next.id, conversation.value.lastLeaf));
  return next;
}

// Settings of this chat; of a new one they are also what the next begins with.
export async function adjust(make: (record: Conversation) => void): Promise<void> {
  if (isNew.value) {
    const next = structuredClone(conversation.value);
    make(next);
    conversation.value = next;
    const { profile, settings, think, model, instructions } = next;
    remember('defaults', JSON.stringify({ profile, settings, think, model, instructions }));
    return;
  }
  const { id } = conversation.value;
  const record = await change(id, make);
  if (record && conversation.value.id === id) conversation.value = record;
}

export function setRun(conv: string, value: Run | null): void {
  const next = new Map(runs.value);
  if (value) next.set(conv, value);
  else next.delete(conv);
  runs.value = next;
}

// What another tab has made of the open chat. What this tab adds while the store is read would be missing
// from what was read, so it is read again then.
async function reloadOpen(conv: string): Promise<void> {
  const isOpen = (): boolean => !isNew.value && conversation.value.id === conv;
  while (isOpen()) {
    const before = tree.value;
    const [record, nodes] = await Promise.all([store().conversation(conv), store().nodes(conv)]);
    if (!record || !isOpen()) return;
    if (tree.value !== before) continue;
    conversation.value = record;
    tree.value = makeTree(nodes.map(withRun));
    return;
  }
}

export function followOtherTabs(): void {
  onOtherTabs((kind, conv) => {
    if (kind === 'changed') void reloadOpen(conv);
    else if (!isNew.value && conversation.value.id === conv) missing.value = true;
  });
  // The record of the open chat is also changed from the list (its title, the bin).
  effect(() => {
    const listed = conversations.value.find((one) => one.id === conversation.peek().id);
    if (listed && !isNew.peek() && listed.rev > conversation.peek().rev) conversation.value = listed;
  });
}

export { tellChanged };
