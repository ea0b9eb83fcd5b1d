// npm's `openai`: the whole life of a response.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import {
  base, collect, greedy, key, processing, question, refused, skip, unending, until, word,
} from './skein.mjs';

const client = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });

test('a response lives its whole life', async () => {
  const first = await client.responses.create({ model: 'any', input: question, ...greedy });
  assert.match(first.id, /^resp_/);
  assert.equal(first.object, 'response');
  assert.equal(first.status, 'completed');
  assert.equal(first.output_text, word);
  assert.equal(first.error, null);
  assert.equal(first.incomplete_details, null);
  assert.equal(first.previous_response_id, null);
  const { input_tokens, output_tokens, total_tokens } = first.usage;
  assert.equal(total_tokens, input_tokens + output_tokens);
  assert.equal(first.usage.input_tokens_details.cached_tokens >= 0, true);
  assert.equal(first.usage.output_tokens_details.reasoning_tokens, 0);
  const [message] = first.output;
  assert.equal(message.type, 'message');
  assert.equal(message.role, 'assistant');
  assert.deepEqual(message.content, [
    { type: 'output_text', text: word, annotations: [], logprobs: [] },
  ]);

  // Two go on from one; each is told apart from the other.
  const again = { model: 'any', previous_response_id: first.id, ...greedy };
  const sum = await client.responses.create({ ...again, input: 'What is 12+30?' });
  const other = await client.responses.create({ ...again, input: 'Reverse: lamp' });
  assert.equal(sum.previous_response_id, first.id);
  assert.ok(sum.usage.input_tokens > input_tokens);
  const items = await collect(client.responses.inputItems.list(other.id, { order: 'asc' }));
  assert.ok(items.every((one) => one.type === 'message' && one.id));
  assert.equal(items.at(-1).content[0].text, 'Reverse: lamp');

  const kept = await client.responses.retrieve(sum.id);
  assert.deepEqual({ ...kept, _request_id: 0 }, { ...sum, _request_id: 0 });
  await client.responses.delete(sum.id);
  await assert.rejects(client.responses.retrieve(sum.id), OpenAI.NotFoundError);
  await assert.rejects(
    client.responses.create({ ...again, previous_response_id: sum.id, input: 'a' }),
    (error) =>
      error instanceof OpenAI.BadRequestError &&
      error.code === 'previous_response_not_found' &&
      error.param === 'previous_response_id',
  );
  const forgotten = await client.responses.create({ model: 'any', input: 'a', store: false });
  await assert.rejects(client.responses.retrieve(forgotten.id), OpenAI.NotFoundError);
});

test('the events of a response come in the order that the client reads', async () => {
  const events = await collect(
    await client.responses.create({ model: 'any', input: question, stream: true, ...greedy }),
  );
  assert.deepEqual(events.map((one) => one.sequence_number), [...events.keys()]);
  const types = events.map((one) => one.type);
  const delta = 'response.output_text.delta';
  assert.deepEqual(types.filter((type, at) => type !== delta || types[at - 1] !== delta), [
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    delta,
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ]);
  const final = events.at(-1).response;
  const text = events.filter((one) => one.type === delta).map((one) => one.delta).join('');
  assert.equal(text, word);
  assert.equal(events.find((one) => one.type === 'response.output_text.done').text, word);
  assert.deepEqual(events.at(-2).item, final.output[0]);
  assert.equal(events[0].response.usage, null);
  assert.equal(events[0].response.id, final.id);
  assert.deepEqual(await client.responses.retrieve(final.id).then((one) => one.output), final.output);
});

test("the client's own reader of a response's events is content", async () => {
  const stream = client.responses.stream({ model: 'any', input: question, ...greedy });
  const final = await stream.finalResponse();
  assert.equal(final.status, 'completed');
  assert.equal(final.output_text, word);
});

test('a response that reaches its limit is incomplete', async () => {
  const asked = { model: 'any', input: question, max_output_tokens: 3, ...greedy };
  const whole = await client.responses.create(asked);
  assert.equal(whole.status, 'incomplete');
  assert.deepEqual(whole.incomplete_details, { reason: 'max_output_tokens' });
  assert.equal(whole.output_text, word.slice(0, 2));
  const events = await collect(await client.responses.create({ ...asked, stream: true }));
  assert.equal(events.at(-1).type, 'response.incomplete');
});

test('items of every kind are understood', async () => {
  const first = await client.responses.create({ model: 'any', input: question, ...greedy });
  const reply = await client.responses.create({
    model: 'any',
    ...greedy,
    input: [
      { role: 'developer', content: 'Be brief.' },
      { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hello' }] },
      { role: 'assistant', content: 'Hello.' },
      { type: 'item_reference', id: first.output[0].id },
      { role: 'user', content: question },
    ],
  });
  assert.equal(reply.status, 'completed');
  await assert.rejects(
    client.responses.create({ model: 'any', input: [{ type: 'item_reference', id: 'msg_none' }] }),
    OpenAI.NotFoundError,
  );
});

test('errors name the field, also where a stream was asked for', async () => {
  for (const stream of [false, true]) {
    const at = (more) => client.responses.create({ model: 'any', input: 'a', stream, ...more });
    await refused(at({ background: true }), OpenAI.BadRequestError, 'background');
    await refused(at({ input: 7 }), OpenAI.BadRequestError, 'input');
    await refused(at({ max_output_tokens: 0 }), OpenAI.BadRequestError, 'max_output_tokens');
  }
});

test('leaving in mid-stream ends the answer', { skip }, async () => {
  const controller = new AbortController();
  const events = await client.responses.create(
    { model: 'any', input: question, stream: true, max_output_tokens: 1_000_000, ...unending },
    { signal: controller.signal },
  );
  for await (const event of events) {
    if (event.type !== 'response.output_text.delta' || controller.signal.aborted) continue;
    assert.equal(await processing(), 1);
    controller.abort();
  }
  await until('the response goes on', async () => (await processing()) === 0);
});
