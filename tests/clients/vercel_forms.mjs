// Vercel's `ai`: objects and tools, whole and streamed, through both of its providers.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  generateObject, generateText, jsonSchema, Output, stepCountIs, streamObject, streamText, tool,
} from 'ai';
import { about, assert_lamp, enough, lamp, lamp_schema, temperatures } from './forms.mjs';
import { base, collect, key } from './skein.mjs';

const at = { baseURL: base, apiKey: key };
const openai = createOpenAI(at);
const kinds = {
  responses: openai('any'),
  chat: openai.chat('any'),
  compatible: createOpenAICompatible({
    name: 'skein', includeUsage: true, supportsStructuredOutputs: true, ...at,
  })('any'),
};
const settings = { prompt: about, maxRetries: 0, maxOutputTokens: enough };
// This model knows of no end of calling.
const one_call = {
  providerOptions: { openai: { parallelToolCalls: false }, skein: { parallel_tool_calls: false } },
};

for (const [name, model] of Object.entries(kinds)) {
  test(`${name}: an object is of its schema`, async () => {
    for (const temperature of temperatures) {
      const { object, finishReason } = await generateObject({
        model, schema: lamp, temperature, ...settings,
      });
      assert_lamp(object);
      assert.equal(finishReason, 'stop');
    }
    assert_lamp((await generateObject({ model, schema: jsonSchema(lamp_schema), ...settings })).object);
    const { output } = await generateText({
      model, output: Output.object({ schema: lamp }), ...settings,
    });
    assert_lamp(output);
  });

  test(`${name}: lists and choices are objects too`, async () => {
    const { object } = await generateObject({
      model, output: 'enum', enum: ['sun', 'rain'], ...settings,
    });
    assert.ok(['sun', 'rain'].includes(object), object);
  });

  test(`${name}: an object is streamed`, async () => {
    const errors = [];
    const stream = streamObject({
      model, schema: lamp, ...settings, onError: ({ error }) => errors.push(error),
    });
    const parts = await collect(stream.partialObjectStream);
    assert.deepEqual(errors, []);
    assert.ok(parts.length > 1);
    assert.deepEqual(parts.at(-1), assert_lamp(await stream.object));
  });

  for (const streamed of [false, true])
    test(`${name}: tools are called and answered, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const lit = [];
      const errors = [];
      const asked = {
        model,
        ...settings,
        ...one_call,
        tools: {
          light: tool({
            description: 'Lights it.',
            inputSchema: lamp,
            execute: async (value) => {
              lit.push(assert_lamp(value));
              return { lit: true };
            },
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
      assert.ok(steps[0].toolCalls.every((one) => one.toolName === 'light' && !one.invalid));
      assert.equal(steps[0].finishReason, 'tool-calls');
      assert.equal(steps.length, 2);
      assert.deepEqual(steps[1].toolCalls, []);
      const alone = await generateText({ model, ...settings, maxOutputTokens: 1 });
      assert.ok(steps[1].usage.inputTokens > alone.usage.inputTokens);
    });

  test(`${name}: a tool that is named is called, and none has to be`, async () => {
    const tools = { light: tool({ inputSchema: lamp }), darken: tool({ inputSchema: lamp }) };
    const named = await generateText({
      model, ...settings, ...one_call, tools, toolChoice: { type: 'tool', toolName: 'darken' },
    });
    assert.deepEqual(named.toolCalls.map((one) => one.toolName), ['darken']);
    assert_lamp(named.toolCalls[0].input);
    const free = await generateText({ model, ...settings, maxOutputTokens: 40, tools });
    for (const { input } of free.toolCalls) assert_lamp(input);
  });
}
