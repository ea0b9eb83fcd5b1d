// npm's `ollama`: each of its calls that this server has, and what it says of those that it lacks.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Ollama } from 'ollama';
import { about, assert_lamp, enough, lamp_schema } from './forms.mjs';
import { base, collect, key, processing, question, skip, until, word } from './skein.mjs';

const client = new Ollama({
  host: base.replace(/\/v1$/, ''),
  headers: { authorization: `Bearer ${key}` },
});
const messages = [{ role: 'user', content: question }];
const model = 'tiny';
const greedy = { temperature: 0 };

test('a chat is answered, whole and as a stream', async () => {
  const whole = await client.chat({ model, messages, options: greedy });
  assert.equal(whole.message.content, word);
  assert.equal(whole.message.role, 'assistant');
  assert.equal(whole.done_reason, 'stop');
  assert.ok(whole.eval_count > 0 && whole.prompt_eval_count > 0);
  const parts = await collect(await client.chat({ model, messages, options: greedy, stream: true }));
  assert.ok(parts.length > 2);
  assert.equal(parts.map((one) => one.message.content).join(''), word);
  assert.deepEqual(parts.map((one) => one.done), parts.map((_, at) => at === parts.length - 1));
  assert.equal(parts.at(-1).eval_count, whole.eval_count);
});

test('a prompt is answered, and its context gone on from', async () => {
  const first = await client.generate({ model, prompt: 'Hello', options: greedy });
  assert.ok(first.context.length > 0);
  const second = await client.generate({
    model, prompt: question, context: first.context, options: greedy,
  });
  assert.ok(second.prompt_eval_count > first.context.length);
  const parts = await collect(await client.generate({
    model, prompt: question, system: 'Be brief.', options: greedy, stream: true,
  }));
  assert.ok(parts.at(-1).context.length > 0);
});

test('a raw prompt is gone on with', async () => {
  const prompt = `User: ${question}\n\nAssistant:`;
  const { response } = await client.generate({
    model, prompt, raw: true, options: { ...greedy, stop: ['\n\n'] },
  });
  assert.equal(response.trim(), word);
});

test('an answer is of a schema', async () => {
  for (const temperature of [0, 2]) {
    const { message } = await client.chat({
      model,
      messages: [{ role: 'user', content: about }],
      format: lamp_schema,
      options: { temperature, num_predict: enough },
    });
    assert_lamp(JSON.parse(message.content));
  }
});

test('a tool is called with an object, and answered', async () => {
  const tools = [{
    type: 'function',
    function: { name: 'light', description: 'Lights it.', parameters: lamp_schema },
  }];
  const asked = [{ role: 'user', content: about }];
  const settings = { model, tools, tool_choice: 'required', parallel_tool_calls: false };
  const { message } = await client.chat({ ...settings, messages: asked });
  assert.equal(message.tool_calls.length, 1);
  assert.equal(message.tool_calls[0].function.name, 'light');
  assert_lamp(message.tool_calls[0].function.arguments);
  const calls = (await collect(await client.chat({ ...settings, messages: asked, stream: true })))
    .flatMap((part) => part.message.tool_calls ?? []);
  assert.equal(calls.length, 1);
  assert_lamp(calls[0].function.arguments);
  const next = await client.chat({
    model,
    tools,
    messages: [...asked, message, { role: 'tool', tool_name: 'light', content: 'It shines.' }],
    options: { num_predict: 8 },
  });
  assert.equal(next.done, true);
});

test('a thought comes apart, whole and as a stream', async () => {
  const ask = { model, messages, think: true, options: { seed: 4, temperature: 2, num_predict: 60 } };
  const whole = await client.chat(ask);
  const parts = await collect(await client.chat({ ...ask, stream: true }));
  const sum = (name) => parts.map((one) => one.message[name] ?? '').join('');
  assert.equal(sum('content'), whole.message.content);
  assert.equal(sum('thinking'), whole.message.thinking ?? '');
});

test('probabilities are told', async () => {
  const { logprobs } = await client.generate({
    model, prompt: question, logprobs: true, top_logprobs: 2, options: { ...greedy, num_predict: 3 },
  });
  assert.equal(logprobs.length, 3);
  assert.equal(logprobs[0].top_logprobs.length, 2);
});

test('texts become vectors', async () => {
  const { embeddings } = await client.embed({ model, input: ['the garden', 'a red lamp'] });
  const { embedding } = await client.embeddings({ model, prompt: 'a red lamp' });
  assert.equal(embeddings.length, 2);
  assert.deepEqual(embeddings[1], embedding);
});

test('models are told of', async () => {
  const [one] = (await client.list()).models;
  assert.equal(one.name, 'tiny:latest');
  assert.equal((await client.ps()).models.length, 1);
  const shown = await client.show({ model: one.name });
  assert.ok(shown.capabilities.includes('completion'));
  assert.match((await client.version()).version, /^\d+\.\d+\.\d+/);
});

test('what is not offered, or wrong, is said in a sentence', async () => {
  const refused = async (call, what) => {
    const error = await call.then(() => null, (one) => one);
    assert.match(error.message, what);
    assert.doesNotMatch(error.message, /\[object/);
    return error;
  };
  assert.equal((await refused(client.pull({ model: 'a' }), /skein pull/)).status_code, 501);
  await refused(client.delete({ model: 'a' }), /not .* over HTTP/);
  await refused(client.chat({ model, messages, options: { top_p: 7 } }), /options\.top_p/);
  await refused(client.chat({ model, messages, options: { top_p: 7 }, stream: true }), /top_p/);
  await refused(client.generate({ model, prompt: 'a', suffix: 'b' }), /not trained/);
});

test('an abandoned stream ends the answer', { skip }, async () => {
  const stream = await client.generate({
    model, prompt: '1 2 3', raw: true, stream: true, options: { num_predict: -1, temperature: 2 },
  });
  let seen = 0;
  await assert.rejects(async () => {
    for await (const part of stream) {
      assert.equal(part.done, false);
      if (++seen === 1) client.abort();
    }
  }, { name: 'AbortError' });
  await until('the answer goes on', async () => (await processing()) === 0);
});
