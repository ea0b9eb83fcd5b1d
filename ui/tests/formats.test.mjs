import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { readChats } = await load('data/formats.ts');
const { asJson, asMarkdown } = await load('data/format_own.ts');
const tree = await load('data/tree.ts');

const paths = ({ conversation, nodes }) =>
  tree.pathTo(tree.makeTree(nodes), conversation.leaf).map((node) => `${node.role}: ${node.content}`);
const trouble = (text) => {
  try {
    readChats(text);
  } catch (error) {
    return error.kind;
  }
  return null;
};

// All ids as the place where they first appear, so that what is equal but for them is equal.
function withoutIds(text) {
  const seen = new Map();
  return text.replace(/"[a-z2-9]{20}"/g, (id) => {
    if (!seen.has(id)) seen.set(id, `"#${seen.size}"`);
    return seen.get(id);
  });
}

const id = (letter) => letter.repeat(20);
const own = {
  format: 'skein-chat',
  version: 1,
  conversations: [
    {
      id: id('c'), title: 'A <script>', titledBy: 'user', created: 5, updated: 6, leaf: id('x'), lastLeaf: { [id('q')]: id('x') },
      nextSeq: 9, profile: 'chat', settings: { top_p: 0.4, stop: ['a', 'b'] }, think: 'bit', model: 'm', instructions: 'i',
      mounts: [{ name: 'doc', state: 'st_1', tokens: 7, blob: id('b') }], pinned: true, rev: 3,
      nodes: [
        { id: id('q'), conv: id('c'), parent: null, seq: 1, role: 'user', content: 'q', reasoning: '', status: 'done', created: 1,
          attachments: [{ name: 'f', blob: id('b'), chars: 4 }] },
        { id: id('a'), conv: id('c'), parent: id('q'), seq: 2, role: 'assistant', content: 'a', reasoning: 'hm', status: 'done', created: 2,
          finishReason: 'stop', usage: { prompt: 1, completion: 2, cached: 0, reasoning: 1 }, timings: { perSecond: 3 }, thinkMs: 4,
          model: 'm', state: { id: 'st_a', promptId: 'st_b' }, from: 'state', basis: '[]' },
        { id: id('x'), conv: id('c'), parent: id('q'), seq: 3, role: 'assistant', content: 'b', reasoning: '', status: 'streaming', created: 2,
          edited: true, editedFrom: id('a') },
      ],
      blobs: [{ id: id('b'), name: 'f', text: 'text' }],
    },
  ],
};

test('export, import, export: equal but for the ids', () => {
  const first = asJson(readChats(JSON.stringify(own)));
  const second = asJson(readChats(first));
  assert.equal(withoutIds(second), withoutIds(first));
  assert.notEqual(second, first);
});

test('everything of a chat comes back, on ids of its own', () => {
  const [{ conversation, nodes, blobs }] = readChats(JSON.stringify(own));
  assert.deepEqual(paths({ conversation, nodes }), ['user: q', 'assistant: b']);
  assert.equal(conversation.lastLeaf[nodes[0].id], nodes[2].id);
  assert.equal(conversation.mounts[0].blob, blobs[0].id);
  assert.equal(nodes[0].attachments[0].blob, blobs[0].id);
  assert.equal(nodes[1].state.promptId, 'st_b');
  assert.equal(nodes[2].editedFrom, nodes[1].id);
  assert.equal(nodes[2].status, 'broken');
  assert.ok(nodes.every((node) => node.conv === conversation.id && ![id('q'), id('a'), id('x')].includes(node.id)));
});

test('a file that is cut anywhere gives nothing', () => {
  const text = JSON.stringify(own);
  for (let at = 1; at < text.length; at += 7) assert.ok(['broken', 'unknown'].includes(trouble(text.slice(0, at))), `cut at ${at}`);
});

test('one faulty message spoils the whole file', () => {
  const bad = structuredClone(own);
  bad.conversations.push({ title: 'x', nodes: [{ id: 'y', role: 'nobody' }] });
  assert.equal(trouble(JSON.stringify(bad)), 'broken');
  assert.equal(trouble(JSON.stringify({ ...own, version: 2 })), 'newer');
});

test('a cycle in an imported tree can be read', () => {
  const odd = structuredClone(own);
  odd.conversations[0].nodes[0].parent = id('x');
  const [bundle] = readChats(JSON.stringify(odd));
  assert.deepEqual(paths(bundle), ['user: q', 'assistant: b']);
});

test('llama.cpp’s lines', () => {
  const line = {
    conv: { id: '1', name: 'Talk', lastModified: 9, currNode: '4' },
    messages: [
      { id: 'r', type: 'root', role: 'system', content: '', parent: null, children: ['2'] },
      { id: '2', type: 'text', role: 'user', content: 'hi', parent: 'r', timestamp: 1, children: ['3', '4'] },
      { id: '3', type: 'text', role: 'assistant', content: 'one', parent: '2', timestamp: 2, children: [] },
      { id: '4', type: 'text', role: 'assistant', content: 'two', thinking: 'hm', parent: '2', timestamp: 2, children: [] },
    ],
  };
  const [first, second] = readChats(`${JSON.stringify(line)}\n${JSON.stringify(line)}\n`);
  assert.deepEqual(paths(first), ['user: hi', 'assistant: two']);
  assert.equal(first.nodes.length, 3);
  assert.equal(first.nodes[2].reasoning, 'hm');
  assert.equal(second.conversation.title, 'Talk');
});

test('OpenAI’s tree, passing over what says nothing', () => {
  const message = (role, text, time) => ({ author: { role }, content: { content_type: 'text', parts: [text] }, create_time: time });
  const raw = [{
    title: 'T', create_time: 1, current_node: 'd',
    mapping: {
      root: { id: 'root', message: null, parent: null, children: ['s'] },
      s: { id: 's', message: message('system', '', 0), parent: 'root', children: ['b'] },
      b: { id: 'b', message: message('user', 'hi', 1), parent: 's', children: ['c', 'd'] },
      c: { id: 'c', message: message('assistant', 'one', 2), parent: 'b', children: [] },
      d: { id: 'd', message: message('assistant', 'two', 3), parent: 'b', children: [] },
    },
  }];
  const [bundle] = readChats(JSON.stringify(raw));
  assert.deepEqual(paths(bundle), ['user: hi', 'assistant: two']);
});

test('Open WebUI’s tree', () => {
  const raw = [{
    chat: { title: 'W', history: { currentId: 'a', messages: {
      q: { id: 'q', parentId: null, childrenIds: ['a', 'b'], role: 'user', content: 'hi', timestamp: 1 },
      a: { id: 'a', parentId: 'q', childrenIds: [], role: 'assistant', content: 'one', timestamp: 2, model: 'm' },
      b: { id: 'b', parentId: 'q', childrenIds: [], role: 'assistant', content: 'two', timestamp: 3 },
    } } },
  }];
  const [bundle] = readChats(JSON.stringify(raw));
  assert.deepEqual(paths(bundle), ['user: hi', 'assistant: one']);
  assert.equal(bundle.conversation.title, 'W');
});

test('Runner’s text, with blank lines inside an answer', () => {
  const [bundle] = readChats('User: hi\n\nAssistant: one\n\ntwo\n\n用户：好\n\nAssistant: 三\n');
  assert.deepEqual(paths(bundle), ['user: hi', 'assistant: one\n\ntwo', 'user: 好', 'assistant: 三']);
});

test('messages as a request has them', () => {
  const messages = [{ role: 'system', content: 's' }, { role: 'user', content: [{ type: 'text', text: 'hi' }] }];
  assert.deepEqual(paths(readChats(JSON.stringify({ messages }))[0]), ['system: s', 'user: hi']);
});

test('what is no chat is said to be none', () => {
  assert.equal(trouble('once upon a time'), 'unknown');
  assert.equal(trouble('{"a": 1}'), 'unknown');
  assert.equal(trouble('[]'), 'nothing');
  assert.equal(trouble('{"messages": []}'), 'nothing');
  assert.equal(trouble('{'), 'broken');
});

test('Markdown has the path that is shown, and thoughts where they are wanted', () => {
  const [{ conversation, nodes }] = readChats(JSON.stringify(own));
  const words = { you: 'You', answer: 'Answer', turnSystem: 'Instructions', thinking: 'Thinking' };
  const plain = asMarkdown(conversation, [nodes[0], nodes[1]], words);
  assert.equal(plain, '# A <script>\n\n## You\n\n*f*\n\nq\n\n## Answer\n\na\n');
  assert.ok(asMarkdown(conversation, [nodes[1]], words, true).includes('> hm'));
});
