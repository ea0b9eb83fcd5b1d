// npm's `openai`: answers of a schema and calls of functions, whole and streamed.
import assert from 'node:assert/strict';
import test from 'node:test';
import OpenAI from 'openai';
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod';
import { about, assert_lamp, enough, lamp, lamp_schema, temperatures } from './forms.mjs';
import { base, collect, key, refused } from './skein.mjs';

const client = new OpenAI({ baseURL: base, apiKey: key, maxRetries: 0 });
const messages = [{ role: 'user', content: about }];
const chat = { model: 'any', messages, max_tokens: enough };
const tools = [
  { type: 'function', function: { name: 'light', description: 'Lights it.', parameters: lamp_schema } },
  { type: 'function', function: { name: 'darken', parameters: { type: 'object', properties: {} } } },
];
const response_format = {
  type: 'json_schema',
  json_schema: { name: 'lamp', strict: true, schema: lamp_schema },
};

// A call that is one of the tools'.
function assert_call({ id, type, function: { name, arguments: text } }) {
  assert.match(id, /^call_/);
  assert.equal(type, 'function');
  const value = JSON.parse(text);
  if (name === 'light') assert_lamp(value);
  else assert.deepEqual([name, value], ['darken', {}]);
}

test('an answer is of the schema, parsed and bare', async () => {
  for (const temperature of temperatures) {
    const parsed = await client.chat.completions.parse({
      ...chat,
      temperature,
      response_format: zodResponseFormat(lamp, 'lamp'),
    });
    assert_lamp(parsed.choices[0].message.parsed);
    const bare = await client.chat.completions.create({ ...chat, temperature, response_format });
    assert_lamp(JSON.parse(bare.choices[0].message.content));
    assert.equal(bare.choices[0].finish_reason, 'stop');
  }
});

test('a stream says the same, also through the reader of streams', async () => {
  const asked = { ...chat, seed: 7, response_format };
  const whole = (await client.chat.completions.create(asked)).choices[0].message.content;
  const chunks = await collect(await client.chat.completions.create({ ...asked, stream: true }));
  assert.equal(chunks.map((one) => one.choices[0].delta.content ?? '').join(''), whole);
  const stream = client.chat.completions.stream({
    ...asked,
    response_format: zodResponseFormat(lamp, 'lamp'),
  });
  assert_lamp((await stream.finalChatCompletion()).choices[0].message.parsed);
});

test('several answers are of the schema, and any object is one', async () => {
  const { choices } = await client.chat.completions.create({
    ...chat, n: 3, temperature: 2, response_format,
  });
  for (const { message } of choices) assert_lamp(JSON.parse(message.content));
  const any = await client.chat.completions.create({
    ...chat, max_tokens: 3000, temperature: 0, response_format: { type: 'json_object' },
  });
  const { message: { content }, finish_reason } = any.choices[0];
  assert.ok(content.startsWith('{'), content);
  if (finish_reason === 'stop') assert.equal(typeof JSON.parse(content), 'object');
});

test('functions are called that have to be', async () => {
  for (const temperature of temperatures) {
    const asked = {
      ...chat, temperature, tools, tool_choice: 'required', parallel_tool_calls: false, seed: 5,
    };
    const [choice] = (await client.chat.completions.create(asked)).choices;
    assert.equal(choice.finish_reason, 'tool_calls');
    assert.equal(choice.message.content, null);
    assert.equal(choice.message.tool_calls.length, 1);
    assert_call(choice.message.tool_calls[0]);
    const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
    const strip = ({ function: { name, arguments: text } }) => [name, text];
    assert.deepEqual(streamed.choices[0].message.tool_calls.map(strip),
      choice.message.tool_calls.map(strip));
    assert.equal(streamed.choices[0].finish_reason, 'tool_calls');
  }
  const named = await client.chat.completions.create({
    ...chat, tools, tool_choice: { type: 'function', function: { name: 'darken' } },
  });
  const [call, ...more] = named.choices[0].message.tool_calls;
  assert.equal(call.function.name, 'darken');
  assert_call(call);
  assert.deepEqual(more, []);
});

test('functions may be called, and a conversation with their results goes on', async () => {
  const free = await client.chat.completions.create({ ...chat, max_tokens: 60, tools });
  for (const call of free.choices[0].message.tool_calls ?? []) assert_call(call);
  const called = await client.chat.completions.create({
    ...chat, tools, tool_choice: 'required', max_tokens: 10 * enough, seed: 1,
  });
  const { message } = called.choices[0];
  message.tool_calls.forEach(assert_call);
  assert.equal(new Set(message.tool_calls.map((one) => one.id)).size, message.tool_calls.length);
  const results = message.tool_calls.map(({ id }) => ({
    role: 'tool', tool_call_id: id, content: 'done',
  }));
  const next = await client.chat.completions.create({
    ...chat, max_tokens: 40, messages: [...messages, message, ...results], tools,
    tool_choice: 'none',
  });
  assert.equal(typeof next.choices[0].message.content, 'string');
  assert.equal(next.choices[0].message.tool_calls, undefined);
  const alone = await client.chat.completions.create({ ...chat, max_tokens: 1 });
  assert.ok(next.usage.prompt_tokens > alone.usage.prompt_tokens);
});

for (const stream of [false, true])
  test(`the loop of tools runs, ${stream ? 'streamed' : 'whole'}`, async () => {
    const lit = [];
    const light = {
      type: 'function',
      function: {
        name: 'light',
        description: 'Lights it.',
        parameters: lamp_schema,
        parse: JSON.parse,
        function: (value) => {
          lit.push(assert_lamp(value));
          return 'lit';
        },
      },
    };
    // It ends with the call of a function that is named, and after so many questions otherwise.
    const named = client.chat.completions.runTools({
      ...chat, stream, tools: [light],
      tool_choice: { type: 'function', function: { name: 'light' } },
    });
    await named.done();
    assert.equal(lit.length, 1);
    assert.equal(named.messages.at(-1).content, 'lit');
    const loop = client.chat.completions.runTools(
      { ...chat, stream, tools: [light], tool_choice: 'required', parallel_tool_calls: false },
      { maxChatCompletions: 2 },
    );
    await loop.done();
    assert.equal(lit.length, 3);
  });

test('parsed calls of zod functions are whole', async () => {
  const { choices } = await client.chat.completions.parse({
    ...chat, tool_choice: 'required', parallel_tool_calls: false, tools: [zodFunction({ name: 'light', parameters: lamp })],
  });
  for (const call of choices[0].message.tool_calls) assert_lamp(call.function.parsed_arguments);
});

test('responses: an answer is of the schema and calls are items, whole and streamed', async () => {
  const asked = { model: 'any', input: about, max_output_tokens: enough, seed: 3 };
  const text = { format: zodTextFormat(lamp, 'lamp') };
  assert_lamp((await client.responses.parse({ ...asked, text })).output_parsed);
  const streamed = client.responses.stream({ ...asked, text });
  assert_lamp((await streamed.finalResponse()).output_parsed);
  const functions = tools.map((one) => ({ type: 'function', strict: false, ...one.function }));
  const calling = {
    ...asked, tools: functions, tool_choice: 'required', parallel_tool_calls: false,
  };
  const called = await client.responses.create(calling);
  const events = await collect(await client.responses.create({ ...calling, stream: true }));
  const last = events.at(-1).response;
  for (const { output } of [called, last]) {
    assert.ok(output.length > 0);
    for (const { type, call_id, name, arguments: json } of output) {
      assert.equal(type, 'function_call');
      assert_call({ id: call_id, type: 'function', function: { name, arguments: json } });
    }
  }
  const deltas = events
    .filter((one) => one.type === 'response.function_call_arguments.delta')
    .map((one) => one.delta)
    .join('');
  assert.equal(deltas, last.output.map((one) => one.arguments).join(''));
  const next = await client.responses.create({
    ...asked,
    max_output_tokens: 20,
    previous_response_id: called.id,
    input: called.output.map(({ call_id }) => ({
      type: 'function_call_output', call_id, output: 'done',
    })),
  });
  const alone = await client.responses.create({ ...asked, max_output_tokens: 1 });
  assert.ok(next.usage.input_tokens > alone.usage.input_tokens);
});

test('what cannot be kept to is refused before it is answered', async () => {
  const schema = { oneOf: [{ type: 'integer' }, { type: 'number' }] };
  for (const stream of [false, true])
    await refused(
      client.chat.completions.create({
        ...chat, stream,
        response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
      }),
      OpenAI.BadRequestError,
      'response_format.json_schema.schema#/oneOf',
    );
});
