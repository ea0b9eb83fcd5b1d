// Reads chats in the forms that others write as well. Everything is checked and made anew with ids of its
// own; a file that is damaged anywhere gives nothing at all.
import { isRecord, textOf } from '../net/errors';
import type { Bundle } from './bundle';
import { kFormat, kFormatVersion } from './format_own';
import { newConversation, newId, titleOf, type Blob, type Node, type Role, type Settings, type StateRef, type Status } from './types';

export type ImportKind = 'unknown' | 'broken' | 'nothing' | 'newer';

export class ImportTrouble extends Error {
  constructor(readonly kind: ImportKind) {
    super(kind);
  }
}

// A message before it has its place: ids are those of the file.
export interface Loose {
  id: string;
  parent: string | null;
  role: Role;
  content: string;
  more?: Partial<Node>;
}

const numberOf = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : otherwise;

export function roleOf(value: unknown): Role | null {
  switch (typeof value === 'string' ? value.toLowerCase() : '') {
    case 'user':
    case 'human':
      return 'user';
    case 'assistant':
    case 'bot':
    case 'model':
      return 'assistant';
    case 'system':
    case 'developer':
      return 'system';
    default:
      return null;
  }
}

// A text, or a list of parts of which some are.
export function contentOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  return value.map((part) => (typeof part === 'string' ? part : isRecord(part) ? textOf(part['text']) : '')).join('');
}

export function bundleOf(title: string, created: number, loose: readonly Loose[], leaf: string | null): Bundle {
  const conversation = newConversation(created);
  const ids = new Map(loose.map((one) => [one.id, newId()]));
  const nodes = loose.map((one, at): Node => ({
    reasoning: '',
    status: 'done',
    created,
    ...one.more,
    id: ids.get(one.id)!,
    conv: conversation.id,
    parent: one.parent === null ? null : (ids.get(one.parent) ?? null),
    seq: at + 1,
    role: one.role,
    content: one.content,
  }));
  conversation.nextSeq = nodes.length + 1;
  conversation.titledBy = 'import';
  conversation.title = title || titleOf(nodes.find((node) => node.role === 'user')?.content ?? '');
  conversation.leaf = (leaf === null ? undefined : ids.get(leaf)) ?? nodes.at(-1)?.id ?? null;
  return { conversation, nodes, blobs: [] };
}

const chain = (messages: readonly { role: Role; content: string; more?: Partial<Node> }[]): Loose[] =>
  messages.map((message, at) => ({ ...message, id: String(at), parent: at === 0 ? null : String(at - 1) }));

// ---- Skein's own.

const statuses: readonly Status[] = ['draft', 'streaming', 'done', 'stopped', 'broken', 'error'];

function settingsOf(raw: unknown): Settings {
  if (!isRecord(raw)) return {};
  const out: Settings = {};
  for (const [name, value] of Object.entries(raw)) {
    if (typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean') out[name] = value;
    else if (Array.isArray(value) && value.every((one) => typeof one === 'string')) out[name] = value;
  }
  return out;
}

function stateOf(raw: unknown): StateRef | undefined {
  if (!isRecord(raw) || typeof raw['id'] !== 'string') return undefined;
  const out: StateRef = { id: raw['id'] };
  if (typeof raw['promptId'] === 'string') out.promptId = raw['promptId'];
  if (typeof raw['tokens'] === 'number') out.tokens = raw['tokens'];
  if (typeof raw['bytes'] === 'number') out.bytes = raw['bytes'];
  if (typeof raw['fingerprint'] === 'string') out.fingerprint = raw['fingerprint'];
  return out;
}

function ownNode(raw: Record<string, unknown>, blobs: ReadonlyMap<string, string>): Partial<Node> {
  const out: Partial<Node> = { reasoning: textOf(raw['reasoning']), created: numberOf(raw['created'], 0) };
  const status = statuses.find((one) => one === raw['status']) ?? 'done';
  out.status = status === 'streaming' ? 'broken' : status;
  if (typeof raw['finishReason'] === 'string') out.finishReason = raw['finishReason'];
  if (typeof raw['model'] === 'string') out.model = raw['model'];
  if (typeof raw['basis'] === 'string') out.basis = raw['basis'];
  if (typeof raw['error'] === 'string') out.error = raw['error'];
  if (typeof raw['thinkMs'] === 'number') out.thinkMs = raw['thinkMs'];
  const from = raw['from'];
  if (from === 'state' || from === 'text' || from === 'start') out.from = from;
  if (raw['edited'] === true) out.edited = true;
  const { usage, timings } = raw;
  if (isRecord(usage)) {
    out.usage = {
      prompt: numberOf(usage['prompt'], 0),
      completion: numberOf(usage['completion'], 0),
      cached: numberOf(usage['cached'], 0),
      reasoning: numberOf(usage['reasoning'], 0),
    };
  }
  if (isRecord(timings)) {
    out.timings = {};
    for (const name of ['promptMs', 'predictedMs', 'perSecond'] as const)
      if (typeof timings[name] === 'number') out.timings[name] = timings[name];
  }
  if (raw['settings'] !== undefined) out.settings = settingsOf(raw['settings']);
  const state = stateOf(raw['state']);
  if (state) out.state = state;
  if (Array.isArray(raw['attachments']))
    out.attachments = raw['attachments'].filter(isRecord).flatMap((one) => {
      const blob = blobs.get(textOf(one['blob']));
      return blob ? [{ name: textOf(one['name']), blob, chars: numberOf(one['chars'], 0) }] : [];
    });
  return out;
}

function readOwn(raw: Record<string, unknown>): Bundle[] {
  if (numberOf(raw['version'], 0) > kFormatVersion) throw new ImportTrouble('newer');
  if (!Array.isArray(raw['conversations'])) throw new ImportTrouble('broken');
  return raw['conversations'].map((one: unknown) => {
    if (!isRecord(one) || !Array.isArray(one['nodes'])) throw new ImportTrouble('broken');
    const blobIds = new Map<string, string>();
    const blobs: Blob[] = [];
    for (const blob of Array.isArray(one['blobs']) ? one['blobs'].filter(isRecord) : []) {
      const made: Blob = { id: newId(), name: textOf(blob['name']), text: textOf(blob['text']) };
      if (typeof blob['sha256'] === 'string') made.sha256 = blob['sha256'];
      blobIds.set(textOf(blob['id']), made.id);
      blobs.push(made);
    }
    const raws: Record<string, unknown>[] = one['nodes'].map((node: unknown) => {
      if (!isRecord(node) || typeof node['id'] !== 'string' || !roleOf(node['role'])) throw new ImportTrouble('broken');
      return node;
    });
    raws.sort((a, b) => numberOf(a['seq'], 0) - numberOf(b['seq'], 0));
    const loose = raws.map((node): Loose => ({
      id: textOf(node['id']),
      parent: typeof node['parent'] === 'string' ? node['parent'] : null,
      role: roleOf(node['role'])!,
      content: textOf(node['content']),
      more: ownNode(node, blobIds),
    }));
    const bundle = bundleOf(textOf(one['title']), numberOf(one['created'], 0), loose, textOf(one['leaf']) || null);
    const newIds = new Map(loose.map((node, at) => [node.id, bundle.nodes[at]!.id]));
    raws.forEach((node, at) => {
      const from = newIds.get(textOf(node['editedFrom']));
      if (from) bundle.nodes[at]!.editedFrom = from;
    });
    const { conversation } = bundle;
    for (const name of ['profile', 'think', 'model', 'instructions'] as const) conversation[name] = textOf(one[name]);
    conversation.settings = settingsOf(one['settings']);
    conversation.updated = numberOf(one['updated'], conversation.created);
    conversation.pinned = one['pinned'] === true;
    if (one['titledBy'] === 'user' || one['titledBy'] === 'question') conversation.titledBy = one['titledBy'];
    if (typeof one['cartridge'] === 'string') conversation.cartridge = one['cartridge'];
    if (isRecord(one['lastLeaf']))
      for (const [fork, leaf] of Object.entries(one['lastLeaf'])) {
        const at = newIds.get(fork);
        const to = newIds.get(textOf(leaf));
        if (at && to) conversation.lastLeaf[at] = to;
      }
    if (Array.isArray(one['mounts']))
      conversation.mounts = one['mounts'].filter(isRecord).map((mount) => ({
        name: textOf(mount['name']),
        state: textOf(mount['state']),
        ...(typeof mount['tokens'] === 'number' ? { tokens: mount['tokens'] } : {}),
        ...(typeof mount['fingerprint'] === 'string' ? { fingerprint: mount['fingerprint'] } : {}),
        ...(blobIds.has(textOf(mount['blob'])) ? { blob: blobIds.get(textOf(mount['blob']))! } : {}),
        ...(typeof mount['sha256'] === 'string' ? { sha256: mount['sha256'] } : {}),
      }));
    return { ...bundle, blobs };
  });
}

// ---- llama.cpp: a line for each chat, or one object: {conv, messages} with parent and convId.

function readLlama(raw: Record<string, unknown>): Bundle | null {
  const conv = raw['conv'];
  const messages = raw['messages'];
  if (!isRecord(conv) || !Array.isArray(messages)) return null;
  const loose: Loose[] = [];
  const roots = new Set<string>();
  for (const one of messages) {
    if (!isRecord(one)) throw new ImportTrouble('broken');
    const id = String(one['id'] ?? '');
    if (one['type'] === 'root') {
      roots.add(id);
      continue;
    }
    const role = roleOf(one['role']);
    if (id === '' || !role) continue;
    const parent = one['parent'] === null || one['parent'] === undefined ? null : String(one['parent']);
    const reasoning = textOf(one['thinking']) || textOf(one['reasoningContent']);
    loose.push({ id, parent, role, content: contentOf(one['content']), more: { reasoning, created: numberOf(one['timestamp'], 0) } });
  }
  for (const one of loose) if (one.parent !== null && roots.has(one.parent)) one.parent = null;
  return bundleOf(textOf(conv['name']), numberOf(conv['lastModified'], Date.now()), loose, textOf(conv['currNode']) || null);
}

// ---- OpenAI's export: {title, mapping: {id: {message, parent, children}}, current_node}.

function readOpenAi(raw: Record<string, unknown>): Bundle | null {
  const mapping = raw['mapping'];
  if (!isRecord(mapping)) return null;
  const entries = Object.entries(mapping).filter((entry): entry is [string, Record<string, unknown>] => isRecord(entry[1]));
  const byId = new Map(entries);
  const spoken = (entry: Record<string, unknown> | undefined): { role: Role; content: string } | null => {
    const message = entry?.['message'];
    if (!isRecord(message)) return null;
    const role = roleOf(isRecord(message['author']) ? message['author']['role'] : null);
    const content = isRecord(message['content']) ? contentOf(message['content']['parts']) : contentOf(message['content']);
    return role && content !== '' ? { role, content } : null;
  };
  // Entries that say nothing are passed over; a cycle of them leads nowhere.
  const spokenParent = (entry: Record<string, unknown>): string | null => {
    const seen = new Set<string>();
    let parent = textOf(entry['parent']);
    while (parent !== '' && !seen.has(parent)) {
      if (spoken(byId.get(parent))) return parent;
      seen.add(parent);
      parent = textOf(byId.get(parent)?.['parent']);
    }
    return null;
  };
  const loose = entries.flatMap(([id, entry]): Loose[] => {
    const said = spoken(entry);
    if (!said) return [];
    const message = entry['message'] as Record<string, unknown>;
    return [{ id, parent: spokenParent(entry), ...said, more: { created: 1000 * numberOf(message['create_time'], 0) } }];
  });
  loose.sort((a, b) => (a.more?.created ?? 0) - (b.more?.created ?? 0));
  return bundleOf(textOf(raw['title']), 1000 * numberOf(raw['create_time'], Date.now() / 1000), loose, textOf(raw['current_node']) || null);
}

// ---- Open WebUI: {chat: {title, history: {messages: {id: {parentId, role, content}}, currentId}}}.

function readOpenWebUi(raw: Record<string, unknown>): Bundle | null {
  const chat = isRecord(raw['chat']) ? raw['chat'] : raw;
  const history = chat['history'];
  if (!isRecord(history) || !isRecord(history['messages'])) return null;
  const loose = Object.entries(history['messages']).flatMap(([id, one]): Loose[] => {
    const role = isRecord(one) ? roleOf(one['role']) : null;
    if (!isRecord(one) || !role) return [];
    return [
      {
        id,
        parent: textOf(one['parentId']) || null,
        role,
        content: contentOf(one['content']),
        more: { created: 1000 * numberOf(one['timestamp'], 0), ...(textOf(one['model']) ? { model: textOf(one['model']) } : {}) },
      },
    ];
  });
  loose.sort((a, b) => (a.more?.created ?? 0) - (b.more?.created ?? 0));
  const created = 1000 * numberOf(raw['created_at'] ?? chat['timestamp'], Date.now() / 1000);
  return bundleOf(textOf(chat['title'] ?? raw['title']), created, loose, textOf(history['currentId']) || null);
}

// ---- A list of messages, as requests have it.

function readMessages(raw: unknown): Bundle | null {
  const list = Array.isArray(raw) ? raw : isRecord(raw) && Array.isArray(raw['messages']) ? raw['messages'] : null;
  if (!list || !list.every((one) => isRecord(one) && roleOf(one['role']))) return null;
  const messages = (list as Record<string, unknown>[]).map((one) => ({ role: roleOf(one['role'])!, content: contentOf(one['content']) }));
  return bundleOf(isRecord(raw) ? textOf(raw['title']) : '', Date.now(), chain(messages), null);
}

// ---- RWKV-Runner: "User: ...\n\nAssistant: ..." with whatever names were set.

const kNames: Record<string, Role> = {
  user: 'user', human: 'user', question: 'user', q: 'user', bob: 'user', 用户: 'user', 问: 'user',
  assistant: 'assistant', bot: 'assistant', answer: 'assistant', a: 'assistant', alice: 'assistant', ai: 'assistant', 助手: 'assistant', 答: 'assistant',
  system: 'system', instruction: 'system',
};

function readRunner(text: string): Bundle | null {
  const messages: { role: Role; content: string }[] = [];
  for (const block of text.replace(/\r\n?/g, '\n').split(/\n{2,}/)) {
    const match = /^\s*([\p{L}]{1,12})\s*[:：]\s?([\s\S]*)$/u.exec(block);
    const role = match ? kNames[match[1]!.toLowerCase()] : undefined;
    if (match && role) messages.push({ role, content: match[2]!.trim() });
    else if (messages.length > 0) messages[messages.length - 1]!.content += `\n\n${block.trimEnd()}`;
    else if (block.trim() !== '') return null;
  }
  return messages.length > 0 ? bundleOf('', Date.now(), chain(messages), null) : null;
}

// ---- Whichever it is.

function readOne(raw: unknown): Bundle[] | null {
  if (isRecord(raw) && raw['format'] === kFormat) return readOwn(raw);
  const one = isRecord(raw) ? (readLlama(raw) ?? readOpenAi(raw) ?? readOpenWebUi(raw)) : null;
  const found = one ?? readMessages(raw);
  if (found) return [found];
  if (!Array.isArray(raw)) return null;
  const all: Bundle[] = [];
  for (const item of raw) {
    const inside = readOne(item);
    if (!inside) return null;
    all.push(...inside);
  }
  return all;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Perhaps a JSON value in each line.
  }
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  try {
    return lines.map((line): unknown => JSON.parse(line));
  } catch {
    throw new ImportTrouble('broken');
  }
}

export function readChats(text: string): Bundle[] {
  const content = text.replace(/^\uFEFF/, '');
  let bundles: Bundle[] | null;
  if (/^\s*[[{]/.test(content)) {
    bundles = readOne(parsed(content));
  } else {
    const one = readRunner(content);
    bundles = one ? [one] : null;
  }
  if (!bundles) throw new ImportTrouble('unknown');
  const spoken = bundles.filter((bundle) => bundle.nodes.length > 0);
  if (spoken.length === 0) throw new ImportTrouble('nothing');
  return spoken;
}
