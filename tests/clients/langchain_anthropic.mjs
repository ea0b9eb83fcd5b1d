// LangChain's `@langchain/anthropic`: a chat model, structured answers and bound tools.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatAnthropic } from '@langchain/anthropic';
import { about, assert_lamp, enough, lamp } from './forms.mjs';
import { base, collect, greedy, key, question, word } from './skein.mjs';

const settings = {
  model: 'any', apiKey: key, anthropicApiUrl: base.replace(/\/v1$/, ''), maxRetries: 0,
  maxTokens: enough,
};
const chat = new ChatAnthropic({ ...settings, ...greedy });

test('a model is invoked, and a stream says the same', async () => {
  const reply = await chat.invoke(question);
  assert.equal(reply.text, word);
  const { input_tokens, output_tokens, total_tokens } = reply.usage_metadata;
  assert.equal(total_tokens, input_tokens + output_tokens);
  const chunks = await collect(await chat.stream(question));
  assert.equal(chunks.map((one) => one.text).join(''), word);
  const sum = chunks.reduce((left, right) => left.concat(right));
  assert.equal(sum.usage_metadata.output_tokens, output_tokens);
});

test('a conversation goes on', async () => {
  const said = [new SystemMessage('Be brief.'), new HumanMessage('Hello')];
  const first = await chat.invoke(said);
  const second = await chat.invoke([...said, first, new HumanMessage(question)]);
  assert.ok(second.usage_metadata.input_tokens > first.usage_metadata.input_tokens);
});

test('an answer is of its schema', async () => {
  const structured = chat.withStructuredOutput(lamp, { name: 'lamp' });
  assert_lamp(await structured.invoke(about));
});

test('tools are called and answered, whole and streamed', async () => {
  const light = tool((value) => JSON.stringify(assert_lamp(value)), {
    name: 'light', description: 'Lights it.', schema: lamp,
  });
  const calling = chat.bindTools([light], {
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
  });
  const reply = await calling.invoke(about);
  assert.ok(reply.tool_calls.length > 0);
  const results = [];
  for (const call of reply.tool_calls) {
    assert_lamp(call.args);
    results.push(await light.invoke(call));
  }
  const brief = new ChatAnthropic({ ...settings, maxTokens: 20 });
  const next = await brief.bindTools([light], { tool_choice: 'none' })
    .invoke([new HumanMessage(about), reply, ...results]);
  assert.deepEqual(next.tool_calls, []);
  const sum = (await collect(await calling.stream(about)))
    .reduce((left, right) => left.concat(right));
  assert.ok(sum.tool_calls.length > 0);
  for (const call of sum.tool_calls) assert_lamp(call.args);
});

test('an error arrives', async () => {
  const wrong = new ChatAnthropic({ ...settings, topP: 7, temperature: undefined });
  await assert.rejects(wrong.invoke(question), (error) => error.status === 400);
});
