import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { failureOf, retryAfter, saidIn } = await load('net/errors.ts');

const body = (error) => JSON.stringify({ error });
const trouble = (status, text = body({ message: 'm' })) => failureOf(status, new Headers(), text).trouble;

test('statuses are told apart', () => {
  assert.equal(trouble(401), 'key');
  assert.equal(trouble(403), 'role');
  assert.equal(trouble(429), 'busy');
  assert.equal(trouble(503), 'loading');
  assert.equal(trouble(413), 'size');
  assert.equal(trouble(500), 'server');
  assert.equal(trouble(404), 'missing');
});

test('a state that is gone or of another model is no fault of the message', () => {
  assert.equal(trouble(404, body({ message: 'm', param: 'parent', code: 'state_not_found' })), 'gone');
  assert.equal(trouble(409, body({ message: 'm', param: 'parent', code: 'state_mismatch' })), 'gone');
  assert.equal(trouble(400, body({ message: 'm', param: 'temperature' })), 'field');
});

test('a page of a proxy is none of the server', () => {
  assert.equal(trouble(502, '<html>Bad gateway</html>'), 'strange');
  assert.equal(trouble(404, '<html></html>'), 'strange');
  assert.equal(trouble(429, '<html></html>'), 'busy');
});

test('the words are the server’s own, in every form that is about', () => {
  assert.equal(failureOf(400, new Headers(), body({ message: 'too hot', param: 'temperature' })).said, 'too hot');
  assert.equal(saidIn({ error: 'text' }).message, 'text');
  assert.equal(saidIn({ error: null }), null);
  assert.equal(saidIn([]), null);
});

test('Retry-After is seconds, a date, or nothing', () => {
  const at = (name, value) => retryAfter(new Headers({ [name]: value }), Date.parse('2026-01-01T00:00:00Z'));
  assert.equal(at('retry-after', '3'), 3000);
  assert.equal(at('retry-after-ms', '1500'), 1500);
  assert.equal(at('retry-after', 'Thu, 01 Jan 2026 00:00:05 GMT'), 5000);
  assert.equal(at('retry-after', 'Wed, 31 Dec 2025 00:00:00 GMT'), 0);
  assert.equal(at('retry-after', 'soon'), null);
  assert.equal(retryAfter(new Headers()), null);
});
