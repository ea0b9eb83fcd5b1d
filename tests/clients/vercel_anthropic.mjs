// Vercel's `ai` with its provider for Anthropic's API: texts, objects and a loop of tools.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { APICallError, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from 'ai';
import { about, assert_lamp, enough, lamp, temperatures } from './forms.mjs';
import { base, collect, greedy, key, question, word } from './skein.mjs';

const model = createAnthropic({ baseURL: base, apiKey: key })('any');
const settings = { model, maxRetries: 0, maxOutputTokens: enough };

test('a text is generated and streamed', async () => {
  const asked = { ...settings, ...greedy, prompt: question };
  const whole = await generateText(asked);
  assert.equal(whole.text, word);
  assert.equal(whole.finishReason, 'stop');
  const errors = [];
  const stream = streamText({ ...asked, onError: ({ error }) => errors.push(error) });
  assert.equal((await collect(stream.textStream)).join(''), word);
  assert.deepEqual(errors, []);
  assert.equal(await stream.finishReason, 'stop');
  const usage = await stream.usage;
  assert.equal(usage.inputTokens, whole.usage.inputTokens);
  assert.equal(usage.outputTokens, whole.usage.outputTokens);
});

test('a conversation goes on with what came back', async () => {
  const messages = [{ role: 'user', content: 'Hello' }];
  const first = await generateText({ ...settings, ...greedy, system: 'Be brief.', messages });
  messages.push(...first.response.messages, { role: 'user', content: question });
  const second = await generateText({ ...settings, ...greedy, system: 'Be brief.', messages });
  assert.ok(second.usage.inputTokens > first.usage.inputTokens);
});

test('an object is of its schema, whole and streamed', async () => {
  for (const temperature of temperatures)
    assert_lamp((await generateObject({ ...settings, prompt: about, schema: lamp, temperature })).object);
  const errors = [];
  const stream = streamObject({
    ...settings, prompt: about, schema: lamp, onError: ({ error }) => errors.push(error),
  });
  const parts = await collect(stream.partialObjectStream);
  assert.deepEqual(errors, []);
  assert.deepEqual(parts.at(-1), assert_lamp(await stream.object));
});

for (const streamed of [false, true])
  test(`tools are called and answered, ${streamed ? 'streamed' : 'whole'}`, async () => {
    const lit = [];
    const errors = [];
    const asked = {
      ...settings,
      prompt: about,
      providerOptions: { anthropic: { disableParallelToolUse: true } },
      tools: {
        light: tool({
          description: 'Lights it.',
          inputSchema: lamp,
          execute: async (value) => { lit.push(assert_lamp(value)); return { lit: true }; },
        }),
      },
      stopWhen: stepCountIs(2),
      prepareStep: ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? 'required' : 'none' }),
    };
    const result = streamed
      ? streamText({ ...asked, onError: ({ error }) => errors.push(error) })
      : await generateText(asked);
    const steps = await result.steps;
    assert.deepEqual(errors, []);
    assert.equal(lit.length, 1);
    assert.deepEqual(steps[0].toolCalls.map((one) => one.input), lit);
    assert.equal(steps[0].finishReason, 'tool-calls');
    assert.equal(steps.length, 2);
    assert.deepEqual(steps[1].toolCalls, []);
  });

test('an error arrives with its sentence', async () => {
  const error = await generateText({ ...settings, prompt: question, topP: 7 })
    .then(() => null, (one) => one);
  assert.ok(APICallError.isInstance(error), `${error}`);
  assert.equal(error.statusCode, 400);
  assert.match(error.message, /top_p/);
});
