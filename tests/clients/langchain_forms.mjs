// LangChain's `@langchain/openai`: structured answers by both of its ways, and bound tools.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HumanMessage, ToolMessage } from '@langchain/core/messages';
import { tool } from '@langchain/core/tools';
import { ChatOpenAI } from '@langchain/openai';
import { about, assert_lamp, enough, lamp, lamp_schema, temperatures } from './forms.mjs';
import { base, collect, key } from './skein.mjs';

const settings = {
  model: 'any', apiKey: key, configuration: { baseURL: base }, maxRetries: 0, maxTokens: enough,
};

for (const useResponsesApi of [false, true]) {
  const name = useResponsesApi ? 'responses' : 'chat';
  const chat = new ChatOpenAI({ ...settings, useResponsesApi });

  for (const method of ['jsonSchema', 'functionCalling'])
    test(`${name}: an answer is of its schema by ${method}`, async () => {
      for (const temperature of temperatures)
        assert_lamp(
          await new ChatOpenAI({ ...settings, useResponsesApi, temperature })
            .withStructuredOutput(lamp, { name: 'lamp', method })
            .invoke(about),
        );
      const structured = chat.withStructuredOutput(lamp, { name: 'lamp', method });
      const plain = chat.withStructuredOutput(lamp_schema, { name: 'lamp', method });
      assert_lamp(await plain.invoke(about));
      // Its reader of streamed calls knows chat completions only.
      if (!useResponsesApi || method === 'jsonSchema')
        assert_lamp((await collect(await structured.stream(about))).at(-1));
      for (const one of await structured.batch([about, about])) assert_lamp(one);
    });

  test(`${name}: tools are called and answered, whole and streamed`, async () => {
    const light = tool((value) => JSON.stringify(assert_lamp(value)), {
      name: 'light', description: 'Lights it.', schema: lamp,
    });
    // Through responses it sends no choice but a name.
    const calling = chat.bindTools([light], {
      tool_choice: useResponsesApi ? 'light' : 'required', parallel_tool_calls: false,
    });
    const reply = await calling.invoke(about);
    assert.ok(reply.tool_calls.length > 0);
    assert.deepEqual(reply.invalid_tool_calls, []);
    const results = [];
    for (const call of reply.tool_calls) {
      assert.equal(call.name, 'light');
      assert_lamp(call.args);
      results.push(await light.invoke(call));
    }
    assert.ok(results.every((one) => one instanceof ToolMessage));
    const brief = new ChatOpenAI({ ...settings, maxTokens: 40, useResponsesApi });
    const next = await brief.invoke([new HumanMessage(about), reply, ...results]);
    const alone = await brief.invoke(about);
    assert.ok(next.usage_metadata.input_tokens > alone.usage_metadata.input_tokens);
    const sum = (await collect(await calling.stream(about)))
      .reduce((left, right) => left.concat(right));
    assert.ok(sum.tool_calls.length > 0);
    assert.deepEqual(sum.invalid_tool_calls, []);
    for (const call of sum.tool_calls) assert_lamp(call.args);
  });

  test(`${name}: a tool that is named is called`, async () => {
    const tools = ['light', 'darken'].map((one) =>
      tool(() => 'done', { name: one, description: one, schema: lamp }));
    const reply = await chat.bindTools(tools, { tool_choice: 'darken' }).invoke(about);
    assert.deepEqual(reply.tool_calls.map((one) => one.name), ['darken']);
    assert_lamp(reply.tool_calls[0].args);
  });
}
