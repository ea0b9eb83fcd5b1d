// What one can do with a chat. Each action keeps first and asks the server then, so that nothing is lost
// when the page or the server goes.
import { announce } from '../app/announce';
import { showToast } from '../app/toasts';
import { exportChats } from '../data/exchange';
import { askToKeep, kept, shown, storageTrouble, store } from '../data/library';
import { tabId, tellChanged } from '../data/tabs';
import { leafWithout, parentOf, pathTo, subtreeOf, withLastLeaf } from '../data/tree';
import { newId, titleOf, type Attachment, type Blob, type Conversation, type Node, type Role } from '../data/types';
import { seconds, t } from '../i18n';
import type { Failure } from '../net/errors';
import { settingsOf } from './profiles';
import { basisOf, makeRequest, type Aim, type Made } from './request';
import { remount } from './mounts';
import { Run, type Without } from './run';
import { becomeReal, conversation, dropNodes, goTo, isNew, leaf, path, replaceNodes, run, runs, setRun, tree } from './session';
import { speak } from './speaking';
import { remembering, wordingOf } from './wording';

export interface Attached {
  name: string;
  text: string;
}

function newNode(conv: string, parent: string | null, role: Role, content: string): Node {
  return { id: newId(), conv, parent, seq: 0, role, content, reasoning: '', status: 'done', created: Date.now() };
}

// Keeps new nodes and goes to the last of them.
async function add(nodes: Node[], blobs: Blob[] = [], more: (record: Conversation) => void = () => {}): Promise<void> {
  const last = nodes.at(-1)!;
  const { conv } = last;
  const record = await kept(
    store().addNodes(
      conv,
      nodes,
      (one) => {
        one.leaf = last.id;
        one.updated = Date.now();
        more(one);
      },
      blobs,
    ),
  );
  if (record) {
    shown(record);
    tellChanged(conv);
  }
  // Another chat may have been opened meanwhile.
  if (conversation.value.id !== conv) return;
  // Without room in the store the chat goes on in the page's memory.
  for (const node of nodes) if (node.seq === 0) node.seq = 1 + Math.max(0, ...[...tree.value.nodes.values()].map((one) => one.seq));
  replaceNodes(nodes);
  if (record) conversation.value = record;
  goTo(last.id);
}

async function makeReal(question: string): Promise<void> {
  if (!isNew.value) return;
  const record: Conversation = { ...conversation.value, title: titleOf(question), created: Date.now(), updated: Date.now() };
  await kept(store().addConversation(record, []));
  becomeReal(record);
  askToKeep();
}

export async function send(text: string, attached: Attached[] = []): Promise<void> {
  if (run.value) {
    // A new message ends the waiting of an earlier one, and nothing else.
    if (run.value.phase.value.kind !== 'busy') return;
    await stopRun(conversation.value.id);
  }
  await makeReal(text || attached[0]?.name || '');
  const conv = conversation.value.id;
  const node = newNode(conv, path.value.at(-1)?.id ?? null, 'user', text);
  const blobs = attached.map((one) => ({ id: newId(), name: one.name, text: one.text }));
  if (blobs.length > 0)
    node.attachments = blobs.map(({ id, name, text: all }): Attachment => ({ name, blob: id, chars: all.length }));
  remembering(blobs);
  await add([node], blobs);
  void remindOfExport();
  await answerTo(node);
}

const kRemindAfter = 50;

// Browsers can lose what they keep, so after many turns a copy is offered.
async function remindOfExport(): Promise<void> {
  const turns = 1 + ((await store().meta<number>('turnsSinceExport')) ?? 0);
  await kept(store().setMeta('turnsSinceExport', turns));
  if (turns % kRemindAfter === 0) showToast(t().exportReminder, { name: t().exportAll, run: () => void exportChats() });
}

// A new answer to a question, beside those that it has.
async function answerTo(question: Node, aim: Aim = { kind: 'answer' }): Promise<void> {
  const conv = conversation.value;
  if (conv.id !== question.conv) return;
  const node = newNode(conv.id, question.id, 'assistant', '');
  node.status = 'streaming';
  node.tab = tabId;
  node.basis = basisOf(conv);
  node.settings = { profile: conv.profile, think: conv.think, ...conv.settings };
  await add([node]);
  if (conversation.value.id === conv.id) await write(node, aim, false);
}

async function write(node: Node, aim: Aim, goesOn: boolean): Promise<void> {
  const conv = conversation.value;
  const before = pathTo(tree.value, node.id);
  const told = aim.kind === 'continue' ? before : before.slice(0, -1);
  const writing = new Run(node, goesOn);
  setRun(conv.id, writing);
  announce(t().answering);
  const wording = await wordingOf(told);
  const make = async (without: Without): Promise<Made> => {
    const begun = without === 'any state' ? await remount(conv) : conv;
    const states = without === 'nothing';
    return makeRequest({ conversation: begun, path: told, aim, wording, states }, settingsOf(conv.profile, conv.settings));
  };
  const silence = speak(writing);
  const { status, failure } = await writing.answer(make);
  silence();

  const finish = (record: Node): void => {
    writing.apply(record);
    record.status = status;
    if (writing.finishReason) record.finishReason = writing.finishReason;
    else delete record.finishReason;
    if (failure) record.error = JSON.stringify({ trouble: failure.trouble, said: failure.said, param: failure.param });
    else delete record.error;
    delete record.tab;
  };
  const record = structuredClone(node);
  finish(record);
  setRun(conv.id, null);
  const showEnd = (): void => {
    if (conversation.value.id === conv.id && tree.value.nodes.has(node.id)) replaceNodes([record]);
  };
  showEnd();
  await kept(store().changeNode(node.id, finish, true));
  // Once more, as another tab's change may have had the chat read from the store meanwhile.
  showEnd();
  tellChanged(conv.id);
  sayEnd(record, failure);
}

function sayEnd(node: Node, failure: Failure | null): void {
  const words = t();
  if (failure) announce(`${node.content ? words.interrupted : words.failed}. ${failure.said}`, true);
  else if (node.status === 'stopped') announce(words.answerStopped);
  else announce(words.finished(node.usage?.completion ?? 0, seconds((node.timings?.promptMs ?? 0) + (node.timings?.predictedMs ?? 0))));
}

async function stopRun(conv: string): Promise<void> {
  const writing = runs.value.get(conv);
  if (!writing) return;
  writing.stop();
  while (runs.value.get(conv) === writing) await new Promise((resolve) => setTimeout(resolve));
}

export function stop(): void {
  run.value?.stop();
}

export async function retry(node: Node): Promise<void> {
  if (run.value) return;
  if (node.role === 'user') return answerTo(node);
  const question = parentOf(tree.value, node);
  // An answer that never came is tried again in its place.
  if (node.status === 'error' && node.content === '' && node.reasoning === '') return rewrite(node, { kind: 'answer' }, false);
  if (question) await answerTo(question, { kind: 'retry', of: node });
}

async function rewrite(node: Node, aim: Aim, goesOn: boolean): Promise<void> {
  const basis = basisOf(conversation.value);
  const begin = (record: Node): void => {
    record.status = 'streaming';
    record.tab = tabId;
    if (record.basis !== basis) delete record.state;
    record.basis = basis;
    delete record.error;
    delete record.finishReason;
  };
  const record = structuredClone(node);
  begin(record);
  await kept(store().changeNode(node.id, begin, true));
  replaceNodes([record]);
  await write(record, goesOn ? { kind: 'continue', of: node } : aim, goesOn);
}

export async function goOn(node: Node): Promise<void> {
  if (run.value) return;
  goTo(node.id);
  await rewrite(node, { kind: 'continue', of: node }, true);
}

export function branch(node: Node): void {
  goTo(node.id);
}

// The text as it should have been, where it stands. States that read the old text are of no use any more.
export async function fixText(node: Node, text: string): Promise<void> {
  const below = subtreeOf(tree.value, node.id);
  const changed: Node[] = [];
  for (const one of below) {
    const fix = (record: Node): void => {
      delete record.state;
      if (record.id !== node.id) return;
      record.content = text;
      record.edited = true;
      if (record.status === 'broken' || record.status === 'stopped') record.status = 'done';
    };
    const local = structuredClone(one);
    fix(local);
    changed.push(local);
    await kept(store().changeNode(one.id, fix));
  }
  replaceNodes(changed);
  tellChanged(node.conv);
}

// Another version beside the old one: of a question with an answer, of an answer to be gone on with.
export async function editAndAnswer(node: Node, text: string): Promise<void> {
  if (run.value) return;
  const version = newNode(node.conv, parentOf(tree.value, node)?.id ?? null, node.role, text);
  version.editedFrom = node.id;
  if (node.attachments) version.attachments = node.attachments;
  if (node.role === 'user') {
    await add([version]);
    return answerTo(version);
  }
  version.edited = true;
  if (node.basis !== undefined) version.basis = node.basis;
  if (node.state?.promptId) version.state = { id: '', promptId: node.state.promptId };
  await add([version]);
  await goOn(version);
}

export async function remove(node: Node): Promise<void> {
  const gone = subtreeOf(tree.value, node.id);
  const ids = gone.map((one) => one.id);
  const conv = conversation.value.id;
  if (run.value && ids.includes(run.value.node.id)) await stopRun(conv);
  const place = leafWithout(tree.value, node.id, conversation.value.lastLeaf);
  const current = leaf.value;
  const restored = subtreeOf(tree.value, node.id);
  const record = await kept(store().removeNodes(conv, ids, (one) => (one.leaf = place)));
  dropNodes(ids);
  if (record) shown(record);
  goTo(place);
  tellChanged(conv);
  showToast(t().turnDeleted, {
    name: t().undo,
    run: () => void putBack(conv, restored, current),
  });
}

async function putBack(conv: string, nodes: Node[], place: string | null): Promise<void> {
  const record = await kept(
    store().addNodes(conv, nodes, (one) => {
      one.leaf = place;
      if (place !== null) one.lastLeaf = withLastLeaf(tree.value, one.lastLeaf, place);
    }),
  );
  tellChanged(conv);
  if (conversation.value.id !== conv) return;
  replaceNodes(nodes);
  if (record) shown(record);
  goTo(place);
}

export const mayWrite = (): boolean => storageTrouble.value !== 'newer' && storageTrouble.value !== 'outdated';
