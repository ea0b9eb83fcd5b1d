// What aider asks by way of LiteLLM, which cannot be run here: requests as their sources make them,
// and answers as those read them. One stream for an edit, one whole answer for a commit's message.
import assert from 'node:assert/strict';
import test from 'node:test';
import { base, key, question, word } from './skein.mjs';

const headers = {
  accept: 'application/json',
  'content-type': 'application/json',
  authorization: `Bearer ${key}`,
  'user-agent': 'AsyncOpenAI/Python 1.99.1',
  'x-stainless-lang': 'python',
  'x-stainless-async': 'false',
  'x-stainless-retry-count': '0',
};
const messages = [
  { role: 'system', content: 'Act as an expert software developer.\n\nOnly use fenced blocks.' },
  { role: 'user', content: 'I switched to a new code base. Please don\'t consider the above files.' },
  { role: 'assistant', content: 'Ok.' },
  { role: 'user', content: question },
];
const ask = (body) => fetch(`${base}/chat/completions`, {
  method: 'POST', headers, body: JSON.stringify({ model: 'any', messages, temperature: 0, ...body }),
});

test('an edit is streamed', async () => {
  const reply = await ask({ stream: true });
  assert.equal(reply.status, 200);
  const events = (await reply.text()).split('\n\n').filter((one) => one.startsWith('data: '));
  assert.equal(events.pop(), 'data: [DONE]');
  const chunks = events.map((one) => JSON.parse(one.slice(6)));
  // It takes the first choice of each.
  for (const { choices } of chunks) assert.equal(choices.length, 1);
  assert.equal(chunks.map((one) => one.choices[0].delta.content ?? '').join(''), word);
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('a commit is described', async () => {
  const { choices, usage } = await (await ask({ stream: false })).json();
  assert.equal(choices[0].message.content, word);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
});

test('a limit that was reached is no end', async () => {
  const { choices } = await (await ask({ stream: false, max_tokens: 2 })).json();
  assert.equal(choices[0].finish_reason, 'length');
});
