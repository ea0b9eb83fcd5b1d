// npm's `@anthropic-ai/sdk` against /v1/messages: answers whole and streamed, tools, forms, states
// that are kept where it asks for them, errors in its classes.
import assert from 'node:assert/strict';
import test from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { about, assert_lamp, enough, lamp_schema, temperatures } from './forms.mjs';
import {
  base, collect, endless, greedy, key, metric, processing, question, skip, until, word,
} from './skein.mjs';

const baseURL = base.replace(/\/v1$/, '');
const client = new Anthropic({ baseURL, apiKey: key, maxRetries: 0 });
const asked = {
  model: 'any', max_tokens: 60, ...greedy, messages: [{ role: 'user', content: question }],
};
const light = { name: 'light', description: 'Lights it.', input_schema: lamp_schema };
// Long enough that states of it are kept, and different in each test.
const long = (name) => `${name}: ${'the garden has a red lamp and an old tree. '.repeat(12)}`;
const marked = (text) => ({ type: 'text', text, cache_control: { type: 'ephemeral' } });
const all_input = (usage) =>
  usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens;

test('a message is answered', async () => {
  const { data, request_id } = await client.messages.create(asked).withResponse();
  assert.equal(data.type, 'message');
  assert.equal(data.role, 'assistant');
  assert.match(data.id, /^msg_/);
  assert.deepEqual(data.content, [{ type: 'text', text: word }]);
  assert.equal(data.stop_reason, 'end_turn');
  assert.equal(data.stop_sequence, null);
  assert.ok(data.usage.output_tokens > 0);
  assert.match(request_id, /^req_/);
});

test('a stream has each event in its place and says what a whole answer says', async () => {
  const whole = await client.messages.create(asked);
  const events = await collect(await client.messages.create({ ...asked, stream: true }));
  const names = events.map((one) => one.type);
  assert.equal(names[0], 'message_start');
  assert.deepEqual(events[0].message.content, []);
  assert.equal(events[0].message.stop_reason, null);
  assert.equal(names[1], 'content_block_start');
  assert.deepEqual(events[1].content_block, { type: 'text', text: '' });
  assert.deepEqual(names.slice(-3), ['content_block_stop', 'message_delta', 'message_stop']);
  assert.ok(names.slice(2, -3).every((one) => one === 'content_block_delta'));
  assert.ok(names.length > 7);
  assert.equal(events.at(-2).usage.output_tokens, whole.usage.output_tokens);
  assert.equal(all_input(events[0].message.usage), all_input(whole.usage));
  assert.equal(all_input(events.at(-2).usage), all_input(whole.usage));
});

test('its helper puts a stream together', async () => {
  const stream = client.messages.stream(asked);
  const pieces = [];
  stream.on('text', (piece) => pieces.push(piece));
  const message = await stream.finalMessage();
  assert.equal(pieces.join(''), word);
  assert.deepEqual(message.content, [{ type: 'text', text: word }]);
  assert.equal(message.stop_reason, 'end_turn');
});

test('a stop sequence is told, and so is the limit', async () => {
  const cut = word.slice(2, 4);
  const stopped = await client.messages.create({ ...asked, stop_sequences: ['no such', cut] });
  assert.equal(stopped.stop_reason, 'stop_sequence');
  assert.equal(stopped.stop_sequence, cut);
  assert.equal(stopped.content[0].text, word.slice(0, 2));
  const message = await client.messages.stream({ ...asked, stop_sequences: [cut] }).finalMessage();
  assert.equal(message.stop_reason, 'stop_sequence');
  assert.equal(message.stop_sequence, cut);
  const limited = await client.messages.create({ ...asked, max_tokens: 1 });
  assert.equal(limited.stop_reason, 'max_tokens');
  assert.equal(limited.usage.output_tokens, 1);
});

test('system texts are strings, blocks and turns', async () => {
  const count = async (more) => {
    const message = await client.messages.create({ ...asked, ...more });
    return all_input(message.usage);
  };
  const plain = await count({ system: 'Be brief.' });
  assert.ok(plain > (await count({})));
  assert.equal(await count({ system: [{ type: 'text', text: 'Be brief.' }] }), plain);
  const turn = { role: 'system', content: 'Be brief.' };
  assert.equal(await count({ messages: [turn, ...asked.messages] }), plain);
});

test('tokens are counted as they are answered, tools too', async () => {
  for (const more of [{}, { system: 'Be brief.' }, { tools: [light] },
    { thinking: { type: 'disabled' } }]) {
    const { model, messages } = asked;
    const { input_tokens } = await client.messages.countTokens({ model, messages, ...more });
    const { usage } = await client.messages.create({ ...asked, ...more });
    assert.equal(input_tokens, all_input(usage), JSON.stringify(more));
  }
});

test('what is marked is kept, and told of', async () => {
  const system = [marked(long('kept'))];
  const first = (await client.messages.create({ ...asked, system })).usage;
  assert.ok(first.cache_creation_input_tokens > 300, JSON.stringify(first));
  assert.equal(first.cache_read_input_tokens, 0);
  assert.ok(first.input_tokens < 60);
  // Another question behind the same.
  const messages = [{ role: 'user', content: 'What is 27+46?' }];
  const second = (await client.messages.create({ ...asked, system, messages })).usage;
  assert.ok(second.cache_read_input_tokens >= first.cache_creation_input_tokens);
  assert.ok(second.cache_creation_input_tokens === 0, JSON.stringify(second));
  assert.equal(all_input(second), second.input_tokens + second.cache_read_input_tokens);
  // In a stream the same numbers are told at its beginning and its end.
  const other = [marked(long('streamed'))];
  const events = await collect(
    await client.messages.create({ ...asked, system: other, stream: true }));
  const begin = events[0].message.usage, end = events.at(-2).usage;
  assert.ok(begin.cache_creation_input_tokens > 300);
  assert.equal(end.cache_creation_input_tokens, begin.cache_creation_input_tokens);
  assert.equal(end.input_tokens, begin.input_tokens);
});

test('a mark inside a message is where others part from it', async () => {
  const ask = async (what) => (await client.messages.create({
    ...asked,
    messages: [{ role: 'user', content: [marked(long('inside')), { type: 'text', text: what }] }],
  })).usage;
  const first = await ask('Reverse: garden');
  assert.ok(first.cache_creation_input_tokens > 300, JSON.stringify(first));
  const second = await ask('Which colour?');
  assert.ok(second.cache_read_input_tokens >= first.cache_creation_input_tokens - 1);
});

test('without a mark nothing is said to be created', async () => {
  const { usage } = await client.messages.create({ ...asked, system: long('unmarked') });
  assert.equal(usage.cache_creation_input_tokens, 0);
});

test('tools are called and answered, whole and streamed', async () => {
  const calling = {
    ...asked,
    max_tokens: enough,
    tools: [light],
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    messages: [{ role: 'user', content: about }],
  };
  const whole = await client.messages.create(calling);
  const streamed = await client.messages.stream(calling).finalMessage();
  assert.deepEqual(
    streamed.content.map(({ id, ...rest }) => rest), whole.content.map(({ id, ...rest }) => rest));
  for (const message of [whole, streamed]) {
    assert.equal(message.stop_reason, 'tool_use');
    assert.equal(message.content.length, 1);
    assert.equal(message.content[0].type, 'tool_use');
    assert.match(message.content[0].id, /^toolu_/);
    assert_lamp(message.content[0].input);
  }
  const result = {
    type: 'tool_result', tool_use_id: whole.content[0].id, content: [{ type: 'text', text: 'lit' }],
  };
  const next = await client.messages.create({
    ...calling,
    max_tokens: 20,
    tool_choice: { type: 'none' },
    messages: [...calling.messages, { role: 'assistant', content: whole.content },
      { role: 'user', content: [result, { type: 'text', text: 'Thanks.' }] }],
  });
  assert.notEqual(next.stop_reason, 'tool_use');
  assert.ok(all_input(next.usage) > all_input(whole.usage));
});

test('a tool that is named is called', async () => {
  const message = await client.messages.create({
    ...asked,
    max_tokens: enough,
    messages: [{ role: 'user', content: about }],
    tools: [light, { ...light, name: 'darken' }],
    tool_choice: { type: 'tool', name: 'darken' },
  });
  assert.deepEqual(message.content.map((one) => one.name), ['darken']);
});

test('an answer is of its schema', async () => {
  for (const temperature of temperatures) {
    const message = await client.messages.create({
      ...asked,
      max_tokens: enough,
      temperature,
      messages: [{ role: 'user', content: about }],
      output_config: { format: { type: 'json_schema', schema: lamp_schema } },
    });
    assert.equal(message.stop_reason, 'end_turn');
    assert_lamp(JSON.parse(message.content[0].text));
  }
});

test('its tool runner goes round', async () => {
  const lit = [];
  const runner = client.beta.messages.toolRunner({
    ...asked,
    max_tokens: enough,
    max_iterations: 1,
    messages: [{ role: 'user', content: about }],
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    tools: [{
      ...light,
      type: 'custom',
      parse: (value) => value,
      run: (value) => { lit.push(assert_lamp(value)); return 'lit'; },
    }],
  });
  for await (const message of runner) assert.equal(message.stop_reason, 'tool_use');
  assert.equal(lit.length, 1);
});

test('errors are of its classes and name the field', async () => {
  const refused = async (more, kind, type, field) => {
    const error = await client.messages.create({ ...asked, ...more }).then(() => null, (e) => e);
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.error.type, 'error');
    assert.equal(error.error.error.type, type);
    assert.match(error.error.error.message, field);
  };
  const bad = Anthropic.BadRequestError;
  await refused({ max_tokens: undefined }, bad, 'invalid_request_error', /max_tokens/);
  await refused({ temperature: 'hot' }, bad, 'invalid_request_error', /temperature/);
  await refused({ stop_sequences: 5 }, bad, 'invalid_request_error', /stop_sequences/);
  await refused({ stream: true, top_p: 7 }, bad, 'invalid_request_error', /top_p/);
  const nobody = new Anthropic({ baseURL, apiKey: 'wrong', maxRetries: 0 });
  const error = await nobody.messages.create(asked).then(() => null, (e) => e);
  assert.ok(error instanceof Anthropic.AuthenticationError, `${error}`);
  assert.equal(error.error.error.type, 'authentication_error');
});

test('a bearer key is taken too, and the beta client is served', async () => {
  const bearer = new Anthropic({ baseURL, apiKey: null, authToken: key, maxRetries: 0 });
  const message = await bearer.beta.messages.create({ ...asked, betas: ['any-2026-01-01'] });
  assert.equal(message.content[0].text, word);
});

test('models are listed', async () => {
  const page = await client.models.list();
  assert.deepEqual(page.data.map((one) => [one.id, one.type]), [['tiny', 'model']]);
  assert.equal(typeof page.data[0].display_name, 'string');
  assert.equal(page.has_more, false);
  assert.equal(page.first_id, 'tiny');
  assert.equal((await client.models.retrieve('tiny')).id, 'tiny');
});

test('an abandoned stream ends the answer', { skip }, async () => {
  const stream = await client.messages.create({
    ...asked, ...endless, max_tokens: 1_000_000, stream: true,
  });
  for await (const one of stream) {
    if (one.type !== 'content_block_delta') continue;
    assert.equal(await processing(), 1);
    break;
  }
  stream.controller.abort();
  await until('the answer goes on', async () => (await processing()) === 0);
  assert.ok((await metric('skein_tokens_total')) < 1_000_000);
});
