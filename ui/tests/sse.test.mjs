import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { sseReader } = await load('net/sse.ts');

const stream = ': ping\n\ndata: {"a":1}\n\nevent: error\r\ndata: one\r\ndata: two\r\n\r\ndata:tight\rdata\r\rretry: 5\n\ndata: [DONE]\n\n';
const expected = [
  { event: 'message', data: '{"a":1}' },
  { event: 'error', data: 'one\ntwo' },
  { event: 'message', data: 'tight\n' },
  { event: 'message', data: '[DONE]' },
];

function read(pieces) {
  const events = [];
  const reader = sseReader((event) => events.push(event));
  for (const piece of pieces) reader.push(piece);
  return events;
}

test('events are the same wherever the stream is cut', () => {
  assert.deepEqual(read([stream]), expected);
  for (let at = 1; at < stream.length; at += 1)
    assert.deepEqual(read([stream.slice(0, at), stream.slice(at)]), expected, `cut at ${at}`);
  assert.deepEqual(read([...stream]), expected);
});

test('what has no end is no event', () => {
  assert.deepEqual(read(['data: half']), []);
});
