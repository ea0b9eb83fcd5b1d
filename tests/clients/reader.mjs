// How npm's `openai` reads what a server may send: what the streams of ours rely on. A script plays
// the server, so that a client that changes its mind is noticed.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import test from 'node:test';
import OpenAI from 'openai';
import { collect } from './skein.mjs';

const chunk = (content) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })}`;
const whole = JSON.stringify({ choices: [{ index: 0, message: { content: 'a' } }] });

// What `answer` writes, as the client reads it; `asked` counts requests.
async function read(answer, { stream = true, maxRetries = 0 } = {}) {
  let asked = 0;
  const server = createServer((request, reply) => {
    request.resume();
    request.on('end', () => answer(reply, ++asked));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const client = new OpenAI({
      baseURL: `http://127.0.0.1:${server.address().port}/v1`,
      apiKey: 'none',
      maxRetries,
    });
    const reply = await client.chat.completions.create({ model: 'a', messages: [], stream });
    const chunks = stream ? await collect(reply) : [];
    return { asked, text: chunks.map((one) => one.choices[0].delta.content).join('') };
  } catch (error) {
    return { asked, error };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const events = { 'content-type': 'text/event-stream' };
const text = 'é 世 😀';
const body = `: ping\n\n${chunk(text)}\n\n: ping\n\ndata: [DONE]\n\n`;

test('comments, other line ends and any cutting are read over', async () => {
  assert.equal((await read((reply) => reply.writeHead(200, events).end(body))).text, text);
  const crlf = body.replaceAll('\n', '\r\n');
  assert.equal((await read((reply) => reply.writeHead(200, events).end(crlf))).text, text);
  const { text: cut } = await read((reply) => {
    reply.writeHead(200, events);
    for (const byte of Buffer.from(body)) reply.write(Buffer.of(byte));
    reply.end();
  });
  assert.equal(cut, text);
});

test('a polite end without [DONE] is no error, hence an error has to be an event', async () => {
  const { text: read_text, error } = await read((reply) =>
    reply.writeHead(200, events).end(`${chunk('a')}\n\n`));
  assert.equal(error, undefined);
  assert.equal(read_text, 'a');
  const failed = await read((reply) =>
    reply.writeHead(200, events).end(`${chunk('a')}\n\ndata: {"error":{"message":"broke"}}\n\n`));
  assert.ok(failed.error instanceof OpenAI.APIError);
});

test('a connection that is cut is an error', async () => {
  const { error } = await read((reply) => {
    reply.writeHead(200, events);
    reply.write(`${chunk('a')}\n\n`, () => reply.destroy());
  });
  assert.ok(error);
});

test('some statuses are asked again unless the server says no', async () => {
  const answer = (status, headers = {}) => (reply, asked) =>
    asked < 3
      ? reply.writeHead(status, { 'retry-after-ms': '1', ...headers }).end('{}')
      : reply.writeHead(200, { 'content-type': 'application/json' }).end(whole);
  for (const status of [408, 409, 429, 500, 503])
    assert.equal((await read(answer(status), { stream: false, maxRetries: 2 })).asked, 3);
  for (const status of [400, 401, 404, 413])
    assert.equal((await read(answer(status), { stream: false, maxRetries: 2 })).asked, 1);
  const never = answer(501, { 'x-should-retry': 'false' });
  assert.equal((await read(never, { stream: false, maxRetries: 2 })).asked, 1);
});
