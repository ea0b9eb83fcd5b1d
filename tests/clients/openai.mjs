// npm's `openai`: models, chat, completions, embeddings, errors, and connections.
import assert from 'node:assert/strict';
import { subscribe } from 'node:diagnostics_channel';
import test from 'node:test';
import OpenAI from 'openai';
import {
  base, collect, endless, greedy, key, processing, question, refused, skip, unending, until, word,
} from './skein.mjs';

const client = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
const messages = [{ role: 'user', content: question }];
const chat = { model: 'any', messages, ...greedy };

let connections = 0;
subscribe('undici:client:connected', () => ++connections);

const sum = ({ prompt_tokens, completion_tokens }) => prompt_tokens + completion_tokens;

test('models are listed and found', async () => {
  const all = await collect(client.models.list());
  assert.equal(all.length, 1);
  assert.deepEqual(await client.models.retrieve(all[0].id), all[0]);
  assert.equal(all[0].object, 'model');
  assert.equal(typeof all[0].created, 'number');
  await assert.rejects(client.models.retrieve('nobody'), OpenAI.NotFoundError);
});

test('a chat is answered whole', async () => {
  const { data, response, request_id } = await client.chat.completions.create(chat).withResponse();
  assert.match(data.id, /^chatcmpl-/);
  assert.equal(data.object, 'chat.completion');
  assert.equal(typeof data.created, 'number');
  assert.equal(data.model, 'tiny');
  assert.deepEqual(data.choices, [
    {
      index: 0,
      message: { role: 'assistant', content: word, refusal: null },
      finish_reason: 'stop',
      logprobs: null,
    },
  ]);
  assert.equal(data.usage.total_tokens, sum(data.usage));
  assert.ok(data.usage.prompt_tokens > 0 && data.usage.completion_tokens > 0);
  assert.ok(request_id);
  assert.equal(response.headers.get('x-request-id'), request_id);
  assert.ok(Number(response.headers.get('openai-processing-ms')) >= 0);
});

test('a chat is streamed as it is answered, with its usage', async () => {
  const whole = await client.chat.completions.create(chat);
  const chunks = await collect(
    await client.chat.completions.create({
      ...chat,
      stream: true,
      stream_options: { include_usage: true },
    }),
  );
  const last = chunks.pop();
  assert.deepEqual(last.choices, []);
  for (const count of ['prompt_tokens', 'completion_tokens', 'total_tokens'])
    assert.equal(last.usage[count], whole.usage[count]);
  assert.ok(last.usage.prompt_tokens_details.cached_tokens >= 0);
  assert.equal(new Set([last, ...chunks].map((one) => one.id)).size, 1);
  assert.deepEqual(chunks[0].choices[0].delta, { role: 'assistant', content: '' });
  assert.deepEqual(chunks.at(-1).choices[0].delta, {});
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
  for (const one of chunks) {
    assert.equal(one.object, 'chat.completion.chunk');
    assert.equal(one.usage, null);
    if (one !== chunks.at(-1)) assert.equal(one.choices[0].finish_reason, null);
  }
  assert.equal(chunks.map((one) => one.choices[0].delta.content ?? '').join(''), word);
  // No usage where none was asked for.
  const bare = await collect(await client.chat.completions.create({ ...chat, stream: true }));
  assert.ok(bare.every((one) => one.choices.length === 1 && !one.usage));
});

test("the client's own reader of streams is content", async () => {
  const stream = client.chat.completions.stream(chat);
  const pieces = [];
  stream.on('content', (piece) => pieces.push(piece));
  assert.equal(await stream.finalContent(), word);
  assert.equal(pieces.join(''), word);
  assert.equal((await stream.finalChatCompletion()).choices[0].finish_reason, 'stop');
});

test('n answers cost one prompt, whole and streamed', async () => {
  const asked = { model: 'any', messages, n: 3, seed: 5, temperature: 1.5, max_tokens: 12 };
  const one = await client.chat.completions.create({ ...asked, n: 1 });
  const whole = await client.chat.completions.create(asked);
  assert.deepEqual(whole.choices.map((choice) => choice.index), [0, 1, 2]);
  assert.equal(whole.usage.prompt_tokens, one.usage.prompt_tokens);
  assert.equal(whole.usage.total_tokens, sum(whole.usage));
  assert.equal(whole.choices[0].message.content, one.choices[0].message.content);
  const texts = ['', '', ''];
  const ends = [0, 0, 0];
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
    for (const choice of chunk.choices) {
      texts[choice.index] += choice.delta.content ?? '';
      ends[choice.index] += choice.finish_reason ? 1 : 0;
    }
  assert.deepEqual(texts, whole.choices.map((choice) => choice.message.content));
  assert.deepEqual(ends, [1, 1, 1]);
});

test('a stream says what a whole answer says, also where it is no text', async () => {
  const wild = { model: 'any', temperature: 2, top_p: 1, max_tokens: 40, ...unending };
  let broken = 0;
  for (const seed of [1, 2, 3, 4]) {
    const asked = { ...wild, messages, seed };
    const whole = (await client.chat.completions.create(asked)).choices[0].message.content;
    const stream = await collect(await client.chat.completions.create({ ...asked, stream: true }));
    assert.equal(stream.map((one) => one.choices[0].delta.content ?? '').join(''), whole);
    broken += whole.includes('\ufffd') ? 1 : 0;
    const text = { ...wild, prompt: question, seed };
    const one = (await client.completions.create(text)).choices[0].text;
    const pieces = await collect(await client.completions.create({ ...text, stream: true }));
    assert.equal(pieces.map((piece) => piece.choices[0].text).join(''), one);
  }
  assert.ok(broken > 0, 'all answers were text');
});

test('an answer ends where it is told to', async () => {
  const stopped = await client.chat.completions.create({ ...chat, stop: [word.slice(3)] });
  assert.equal(stopped.choices[0].message.content, word.slice(0, 3));
  assert.equal(stopped.choices[0].finish_reason, 'stop');
  const cut = await client.chat.completions.create({ ...chat, max_completion_tokens: 2 });
  assert.equal(cut.choices[0].finish_reason, 'length');
  assert.equal(cut.usage.completion_tokens, 2);
});

test('probabilities of a chat are the same in a stream', async () => {
  const asked = { ...chat, logprobs: true, top_logprobs: 3 };
  const { content } = (await client.chat.completions.create(asked)).choices[0].logprobs;
  // The blank that this model's answers begin with is a token and no part of the text.
  assert.ok(content.map((one) => one.token).join('').startsWith(` ${word}`));
  for (const one of content) {
    assert.ok(one.logprob <= 0);
    assert.equal(Buffer.from(one.bytes).toString(), one.token);
    assert.equal(one.top_logprobs.length, 3);
    assert.equal(one.top_logprobs[0].logprob, one.logprob);
  }
  const streamed = [];
  for await (const chunk of await client.chat.completions.create({ ...asked, stream: true }))
    streamed.push(...(chunk.choices[0].logprobs?.content ?? []));
  assert.deepEqual(streamed, content);
});

test('completions take strings, ids and lists of both', async () => {
  const prompts = ['User: Spell: red', 'User: Spell: lamp'];
  const ids = prompts.map((text) => [...Buffer.from(text)].map((byte) => byte + 1));
  const ask = (prompt, more = {}) =>
    client.completions.create({ model: 'any', prompt, max_tokens: 8, ...greedy, ...more });
  const texts = (reply) => reply.choices.map((choice) => choice.text);
  const both = await ask(prompts);
  assert.equal(both.object, 'text_completion');
  assert.deepEqual(both.choices.map((choice) => choice.index), [0, 1]);
  assert.deepEqual(texts(await ask(ids)), texts(both));
  assert.deepEqual(texts(await ask(ids[1])), [texts(both)[1]]);
  assert.deepEqual(texts(await ask(prompts[0])), [texts(both)[0]]);
  assert.equal(both.usage.prompt_tokens, ids[0].length + ids[1].length);
  const pairs = await ask(prompts, { n: 2, seed: 3, temperature: 1 });
  assert.deepEqual(pairs.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  const streamed = ['', ''];
  for await (const chunk of await ask(prompts, { stream: true }))
    for (const choice of chunk.choices) streamed[choice.index] += choice.text;
  assert.deepEqual(streamed, texts(both));
});

test('an echoed prompt has its probabilities', async () => {
  const prompt = 'User: Reverse: garden\n\nAssistant:';
  const ask = (max_tokens, more = {}) =>
    client.completions.create(
      { model: 'any', prompt, max_tokens, echo: true, logprobs: 2, ...greedy, ...more });
  const [{ text, logprobs, finish_reason }] = (await ask(0)).choices;
  assert.equal(text, prompt);
  assert.equal(finish_reason, 'length');
  assert.equal(logprobs.tokens.length, prompt.length);
  assert.deepEqual(logprobs.text_offset, [...prompt].map((_, at) => at));
  assert.equal(logprobs.token_logprobs[0], null);
  assert.equal(logprobs.top_logprobs[0], null);
  logprobs.tokens.slice(1).forEach((token, at) => {
    assert.equal(logprobs.top_logprobs[at + 1][token], logprobs.token_logprobs[at + 1]);
  });
  const longer = (await ask(1)).choices[0];
  assert.equal(longer.logprobs.tokens.length, prompt.length + 1);
  assert.deepEqual(longer.logprobs.token_logprobs.slice(0, -1), logprobs.token_logprobs);
  const told = [];
  for await (const chunk of await ask(1, { stream: true }))
    told.push(...(chunk.choices[0]?.logprobs?.token_logprobs ?? []));
  assert.deepEqual(told, longer.logprobs.token_logprobs);
});

test('embeddings come as base64 by default and are the same numbers', async () => {
  const input = ['a red lamp', 'the garden'];
  const coded = await client.embeddings.create({ model: 'any', input });
  const plain = await client.embeddings.create({ model: 'any', input, encoding_format: 'float' });
  assert.deepEqual(coded.data.map((one) => one.index), [0, 1]);
  for (const at of [0, 1]) {
    const numbers = plain.data[at].embedding;
    assert.deepEqual([...coded.data[at].embedding], numbers.map(Math.fround));
    assert.ok(Math.abs(Math.hypot(...numbers) - 1) < 1e-5);
  }
  assert.equal(coded.usage.total_tokens, coded.usage.prompt_tokens);
  const raw = await client.embeddings.create({ model: 'any', input, encoding_format: 'base64' });
  assert.equal(typeof raw.data[0].embedding, 'string');
  const short = await client.embeddings.create({ model: 'any', input: [1, 2, 3], dimensions: 16 });
  assert.equal(short.data[0].embedding.length, 16);
});

test('errors name the field, also where a stream was asked for', async () => {
  const bad = OpenAI.BadRequestError;
  for (const stream of [false, true]) {
    const at = (more) => client.chat.completions.create({ ...chat, stream, ...more });
    await refused(at({ temperature: 'hot' }), bad, 'temperature');
    await refused(at({ top_p: 7 }), bad, 'top_p');
    await refused(at({ max_tokens: 0 }), bad, 'max_tokens');
    await refused(at({ n: 0 }), bad, 'n');
    await refused(at({ messages: [] }), bad, 'messages');
    await refused(at({ messages: [{ role: 'pirate', content: 'a' }] }), bad, 'messages[0].role');
    await refused(
      client.completions.create({ model: 'any', prompt: [[1], [100000]], stream }), bad, 'prompt');
  }
  await refused(client.embeddings.create({ model: 'any', input: 7 }), bad, 'input');
});

test('a wrong key is told so', async () => {
  const stranger = new OpenAI({ baseURL: base, apiKey: 'wrong', maxRetries: 0 });
  await assert.rejects(
    stranger.chat.completions.create(chat),
    (error) => error instanceof OpenAI.AuthenticationError && error.type === 'authentication_error',
  );
});

test('what is not offered is a 501 that is asked for once', async () => {
  let asked = 0;
  const counting = new OpenAI({
    baseURL: base,
    apiKey: key,
    fetch: (...given) => (++asked, fetch(...given)),
  });
  await assert.rejects(
    counting.completions.create({ model: 'any', prompt: 'a', suffix: 'b' }),
    (error) => error.status === 501 && error.type === 'not_supported_error',
  );
  assert.equal(asked, 1);
});

test('leaving in mid-stream ends the answer', async () => {
  const stream = await client.chat.completions.create({ ...chat, ...endless, stream: true });
  let seen = 0;
  for await (const chunk of stream) {
    seen += chunk.choices[0].delta.content ? 1 : 0;
    if (seen < 3) continue;
    assert.equal(await processing(), 1);
    break;
  }
  await until('the answer goes on', async () => (await processing()) === 0);
});

test('leaving before there is an answer ends it too', { skip }, async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const call = client.chat.completions.create({ ...chat, ...endless }, { signal });
  await until('the answer begins', async () => (await processing()) === 1);
  controller.abort();
  await assert.rejects(call, OpenAI.APIUserAbortError);
  await until('the call goes on', async () => (await processing()) === 0);
});

test('a connection is used again after a stream and after an error', async () => {
  await client.models.list();
  const before = connections;
  for (let i = 0; i < 5; ++i) {
    await collect(await client.chat.completions.create({ ...chat, stream: true }));
    await collect(
      await client.responses.create({ model: 'any', input: question, stream: true, ...greedy }),
    );
    await client.chat.completions.create(chat);
    await assert.rejects(client.chat.completions.create({ ...chat, n: 0, stream: true }));
  }
  assert.ok(before > 0, 'connections are not counted');
  assert.equal(connections, before);
});
