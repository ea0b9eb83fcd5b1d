// `@openai/agents`: an agent without tools (agents_forms.mjs has some), over both APIs.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Agent, OpenAIProvider, Runner } from '@openai/agents';
import { base, collect, greedy, key, question, word } from './skein.mjs';

for (const useResponses of [true, false]) {
  const name = useResponses ? 'responses' : 'chat';
  const runner = new Runner({
    modelProvider: new OpenAIProvider({ apiKey: key, baseURL: base, useResponses }),
    tracingDisabled: true,
  });
  const agent = new Agent({ name: 'Reverser', model: 'any', modelSettings: { ...greedy } });

  test(`${name}: an agent answers`, async () => {
    const result = await runner.run(agent, question);
    assert.equal(result.finalOutput, word);
    assert.equal(result.rawResponses.length, 1);
    const { inputTokens, outputTokens, totalTokens } = result.state.usage;
    assert.ok(inputTokens > 0 && outputTokens > 0);
    assert.equal(totalTokens, inputTokens + outputTokens);
  });

  test(`${name}: an agent's answer is streamed`, async () => {
    const result = await runner.run(agent, question, { stream: true });
    const events = await collect(result);
    await result.completed;
    assert.equal(result.finalOutput, word);
    const text = events
      .filter((one) => one.type === 'raw_model_stream_event')
      .filter((one) => one.data.type === 'output_text_delta')
      .map((one) => one.data.delta)
      .join('');
    assert.equal(text, word);
  });

  test(`${name}: its history is gone on from`, async () => {
    const brief = new Agent({ ...agent, name: 'Brief', instructions: 'Be brief.', model: 'any' });
    const first = await runner.run(brief, 'Hello');
    const second = await runner.run(brief, [...first.history, { role: 'user', content: question }]);
    assert.ok(second.state.usage.inputTokens > first.state.usage.inputTokens);
    assert.equal(typeof second.finalOutput, 'string');
  });
}

test('responses: the server keeps the conversation', async () => {
  const runner = new Runner({
    modelProvider: new OpenAIProvider({ apiKey: key, baseURL: base, useResponses: true }),
    tracingDisabled: true,
  });
  const agent = new Agent({ name: 'Reverser', model: 'any', modelSettings: { ...greedy } });
  const first = await runner.run(agent, 'Hello');
  const second = await runner.run(agent, question, { previousResponseId: first.lastResponseId });
  assert.ok(second.state.usage.inputTokens > first.state.usage.inputTokens);
});
