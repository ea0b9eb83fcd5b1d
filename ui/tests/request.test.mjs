import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { basisOf, makeRequest } = await load('chat/request.ts');
const { extraOf, settingsOf } = await load('chat/profiles.ts');

const chat = {
  id: 'c', model: '', instructions: '', mounts: [], think: '', profile: '', settings: {},
};
const basis = basisOf(chat);
let seq = 0;
const says = (role, content, more = {}) => ({
  id: `n${++seq}`, conv: 'c', parent: null, seq, role, content, reasoning: '', status: 'done', created: 0, ...more,
});
const answered = (content, more = {}) =>
  says('assistant', content, { basis, state: { id: 'st_after', promptId: 'st_before' }, ...more });
const make = (path, { aim = { kind: 'answer' }, states = true, conversation = chat, settings = {} } = {}) =>
  makeRequest({ conversation, path, aim, wording: (node) => node.content, states }, settings);
const started = (made) => {
  const { parent, state, messages, continue_final_message } = made.body;
  return { from: made.from, parent, state, messages, continue_final_message };
};
const user = (content) => ({ role: 'user', content });
const assistant = (content) => ({ role: 'assistant', content });
const nothing = { parent: undefined, state: undefined, continue_final_message: undefined };

test('a first turn is its text, behind the instructions', () => {
  const conversation = { ...chat, instructions: ' Be brief. ' };
  assert.deepEqual(started(make([says('user', 'q')], { conversation })), {
    ...nothing, from: 'start', messages: [{ role: 'system', content: 'Be brief.' }, user('q')],
  });
});

test('a next turn goes on from the state behind the answer, with the new text only', () => {
  assert.deepEqual(started(make([says('user', 'q'), answered('a'), says('user', 'r')])), {
    ...nothing, from: 'state', parent: 'st_after', messages: [user('r')],
  });
});

test('after Stop, or a thought, the answer is read again as it was shown', () => {
  for (const more of [{ status: 'stopped' }, { reasoning: 'hm' }, { status: 'broken' }])
    assert.deepEqual(started(make([says('user', 'q'), answered('a', more), says('user', 'r')])), {
      ...nothing, from: 'state', parent: 'st_before', messages: [assistant('a'), user('r')],
    });
});

test('a retry is one state and no text', () => {
  const old = answered('a');
  assert.deepEqual(started(make([says('user', 'q')], { aim: { kind: 'retry', of: old } })), {
    ...nothing, from: 'state', parent: 'st_before', messages: [],
  });
});

test('a retry without a state goes on from the turn before', () => {
  const old = says('assistant', 'b');
  assert.deepEqual(started(make([says('user', 'q'), answered('a'), says('user', 'r')], { aim: { kind: 'retry', of: old } })), {
    ...nothing, from: 'state', parent: 'st_after', messages: [user('r')],
  });
});

test('an answer that was cut at the limit goes on from its own state', () => {
  const cut = answered('a', { finishReason: 'length' });
  assert.deepEqual(started(make([says('user', 'q'), cut], { aim: { kind: 'continue', of: cut } })), {
    ...nothing, from: 'state', parent: 'st_after', messages: [],
  });
});

test('an answer that was stopped or edited goes on from its text', () => {
  for (const more of [{ status: 'stopped' }, { edited: true, finishReason: 'length' }]) {
    const half = answered('a', more);
    assert.deepEqual(started(make([says('user', 'q'), half], { aim: { kind: 'continue', of: half } })), {
      ...nothing, from: 'state', parent: 'st_before', messages: [assistant('a')], continue_final_message: true,
    });
  }
});

test('an answer that was stopped before its first word begins anew', () => {
  const none = answered('', { status: 'stopped' });
  assert.deepEqual(started(make([says('user', 'q'), none], { aim: { kind: 'continue', of: none } })), {
    ...nothing, from: 'state', parent: 'st_before', messages: [],
  });
});

test('without states all of the text is told, and thoughts are not', () => {
  const path = [says('user', 'q'), answered('a', { reasoning: 'hm' }), says('user', 'r')];
  assert.deepEqual(started(make(path, { states: false })), {
    ...nothing, from: 'text', messages: [user('q'), assistant('a'), user('r')],
  });
});

test('a state that rests on other instructions or another model is not used', () => {
  for (const more of [{ instructions: 'x' }, { model: 'other' }, { cartridge: 'poet' }])
    assert.equal(make([says('user', 'q'), answered('a'), says('user', 'r')], { conversation: { ...chat, ...more } }).from, 'text');
});

test('a mounted document and a tuned state are what a chat begins with', () => {
  const mounted = { ...chat, mounts: [{ name: 'm', state: 'st_doc' }] };
  assert.equal(make([says('user', 'q')], { conversation: mounted }).body.parent, 'st_doc');
  assert.equal(make([says('user', 'q')], { conversation: { ...chat, cartridge: 'poet' } }).body.state, 'poet');
});

test('an answer that never came is not told', () => {
  const path = [says('user', 'q'), says('assistant', '', { status: 'error' }), says('user', 'r')];
  assert.deepEqual(make(path).body.messages, [user('q'), user('r')]);
});

test('a profile’s values are sent with those changed by hand over them', () => {
  assert.deepEqual(settingsOf('', {}), {});
  assert.equal(settingsOf('chat', {}).top_p, 0.3);
  assert.equal(settingsOf('chat', { top_p: 0.9, extra: '{"seed": 7}' }).top_p, 0.9);
  assert.equal(settingsOf('chat', { extra: '{"seed": 7}' }).seed, 7);
  assert.equal(settingsOf('none of these', { extra: 'no json' }).extra, undefined);
  assert.equal(extraOf('[1]'), null);
});
