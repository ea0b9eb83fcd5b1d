// `@openai/agents`: an agent with a tool, and one whose output has a type, over both APIs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Agent, OpenAIProvider, Runner, tool } from '@openai/agents';
import { about, assert_lamp, enough, lamp, temperatures } from './forms.mjs';
import { base, collect, key } from './skein.mjs';

for (const useResponses of [true, false]) {
  const name = useResponses ? 'responses' : 'chat';
  const runner = new Runner({
    modelProvider: new OpenAIProvider({ apiKey: key, baseURL: base, useResponses }),
    tracingDisabled: true,
  });

  test(`${name}: an output is of its type, whole and streamed`, async () => {
    const agent_at = (temperature) => new Agent({
      name: 'Smith', model: 'any', outputType: lamp,
      modelSettings: { maxTokens: enough, temperature },
    });
    for (const temperature of temperatures)
      assert_lamp((await runner.run(agent_at(temperature), about)).finalOutput);
    const agent = agent_at();
    const result = await runner.run(agent, about, { stream: true });
    await collect(result);
    await result.completed;
    assert_lamp(result.finalOutput);
  });

  for (const stream of [false, true])
    test(`${name}: a tool is called and answered, ${stream ? 'streamed' : 'whole'}`, async () => {
      const lit = [];
      const agent = new Agent({
        name: 'Lighter',
        model: 'any',
        instructions: 'Light it.',
        // Afterwards it is free to call.
        modelSettings: { toolChoice: 'required', parallelToolCalls: false, maxTokens: enough },
        tools: [
          tool({
            name: 'light',
            description: 'Lights it.',
            parameters: lamp,
            execute: async (value) => {
              lit.push(assert_lamp(value));
              return 'lit';
            },
          }),
        ],
      });
      const result = await runner.run(agent, about, { stream, maxTurns: 5 });
      if (stream) {
        await collect(result);
        await result.completed;
      }
      assert.ok(lit.length > 0);
      assert.equal(typeof result.finalOutput, 'string');
      assert.ok(result.rawResponses.length > 1);
      const kinds = result.newItems.map((one) => one.type);
      assert.ok(kinds.includes('tool_call_item') && kinds.includes('tool_call_output_item'));
    });
}
