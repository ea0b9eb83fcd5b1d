// npm's `openai` and a server that has no place: --parallel 1 --queue 0.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { base, endless, greedy, key, processing, question, until, word } from './skein.mjs';

const chat = { model: 'any', messages: [{ role: 'user', content: question }], ...greedy };

// An answer that takes the only place until it is left.
async function occupy() {
  const client = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
  const stream = await client.chat.completions.create({ ...chat, ...endless, stream: true });
  const chunks = stream[Symbol.asyncIterator]();
  for (let i = 0; i < 3; ++i) await chunks.next();
  return async () => {
    await chunks.return();
    await until('the answer goes on', async () => (await processing()) === 0);
  };
}

test('no place is a 429 that says when to come back', async () => {
  const leave = await occupy();
  const impatient = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
  for (const stream of [false, true])
    await assert.rejects(
      impatient.chat.completions.create({ ...chat, stream }),
      (error) =>
        error instanceof OpenAI.RateLimitError &&
        error.type === 'rate_limit_error' &&
        Number(error.headers.get('retry-after')) > 0,
    );
  await leave();
});

test('the client comes back by itself and is answered', async () => {
  const leave = await occupy();
  const statuses = [];
  const patient = new OpenAI({
    baseURL: base,
    apiKey: key,
    maxRetries: 20,
    fetch: async (...given) => {
      const reply = await fetch(...given);
      statuses.push(reply.status);
      if (statuses.length === 1) await leave();
      return reply;
    },
  });
  const reply = await patient.chat.completions.create(chat);
  assert.equal(reply.choices[0].message.content, word);
  assert.equal(statuses[0], 429);
  assert.equal(statuses.at(-1), 200);
});
