// Vercel's `ai` with its two providers: the one of OpenAI speaks Responses, the other one chats.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, embed, embedMany, generateText, streamText } from 'ai';
import {
  base, collect, greedy, key, processing, question, skip, unending, until, word,
} from './skein.mjs';

function models_of(more) {
  const at = { baseURL: base, apiKey: key, ...more };
  const openai = createOpenAI(at);
  const compatible = createOpenAICompatible({ name: 'skein', includeUsage: true, ...at });
  return { openai, compatible };
}
const kinds_of = ({ openai, compatible }) => ({
  responses: openai('any'),
  chat: openai.chat('any'),
  compatible: compatible('any'),
});
const { openai, compatible } = models_of();
const kinds = kinds_of({ openai, compatible });
// The same with answers that never end, which these clients have no words for.
const endless_kinds = kinds_of(models_of({
  fetch: (url, { body, ...rest }) =>
    fetch(url, { ...rest, body: JSON.stringify({ ...JSON.parse(body), ...unending }) }),
}));
const settings = { ...greedy, maxRetries: 0 };

for (const [name, model] of Object.entries(kinds)) {
  test(`${name}: a text is generated`, async () => {
    const { text, finishReason, usage, response } = await generateText({
      model,
      prompt: question,
      ...settings,
    });
    assert.equal(text, word);
    assert.equal(finishReason, 'stop');
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
    assert.equal(response.modelId, 'tiny');
    assert.ok(response.timestamp.getTime() > 1.7e12);
  });

  test(`${name}: a stream says what a whole answer says`, async () => {
    const whole = await generateText({ model, prompt: question, ...settings });
    const errors = [];
    const stream = streamText({
      model,
      prompt: question,
      ...settings,
      onError: ({ error }) => errors.push(error),
    });
    const pieces = await collect(stream.textStream);
    assert.deepEqual(errors, []);
    assert.ok(pieces.length > 1);
    assert.equal(pieces.join(''), word);
    assert.equal(await stream.finishReason, 'stop');
    const { inputTokens, outputTokens } = await stream.usage;
    assert.deepEqual([inputTokens, outputTokens],
      [whole.usage.inputTokens, whole.usage.outputTokens]);
  });

  test(`${name}: a conversation goes on with what came back`, async () => {
    const messages = [{ role: 'user', content: 'Hello' }];
    const first = await generateText({ model, system: 'Be brief.', messages, ...settings });
    messages.push(...first.response.messages, { role: 'user', content: question });
    const second = await generateText({ model, system: 'Be brief.', messages, ...settings });
    assert.equal(second.finishReason, 'stop');
    assert.ok(second.usage.inputTokens > first.usage.inputTokens);
  });

  test(`${name}: the limit that was reached is told`, async () => {
    const { finishReason } = await generateText({
      model,
      prompt: question,
      ...settings,
      maxOutputTokens: 2,
    });
    assert.equal(finishReason, 'length');
  });

  test(`${name}: an error arrives with its sentence`, async () => {
    const error = await generateText({ model, prompt: question, maxRetries: 0, topP: 7 })
      .then(() => null, (one) => one);
    assert.ok(APICallError.isInstance(error), `${error}`);
    assert.equal(error.statusCode, 400);
    assert.match(error.message, /top_p/);
    assert.equal(error.data.error.param, 'top_p');
  });

  test(`${name}: an abandoned stream ends the answer`, { skip }, async () => {
    const controller = new AbortController();
    const stream = streamText({
      ...settings,
      model: endless_kinds[name],
      prompt: question,
      maxOutputTokens: 1_000_000,
      abortSignal: controller.signal,
      onError: () => {},
    });
    let seen = 0;
    for await (const part of stream.fullStream) {
      if (part.type !== 'text-delta' || controller.signal.aborted) continue;
      assert.equal(await processing(), 1);
      ++seen;
      controller.abort();
    }
    assert.equal(seen, 1);
    await until('the answer goes on', async () => (await processing()) === 0);
  });
}

test('responses: the kept answer is gone on from by its id', async () => {
  const first = await generateText({ model: openai('any'), prompt: 'Hello', ...settings });
  const { responseId } = first.providerMetadata.openai;
  const second = await generateText({
    model: openai('any'),
    prompt: question,
    ...settings,
    providerOptions: { openai: { previousResponseId: responseId } },
  });
  assert.ok(second.usage.inputTokens > first.usage.inputTokens);
});

for (const [name, model] of Object.entries({
  openai: openai.embedding('any'),
  compatible: compatible.embeddingModel('any'),
}))
  test(`${name}: texts become vectors`, async () => {
    const { embedding, usage } = await embed({ model, value: 'a red lamp', maxRetries: 0 });
    assert.equal(embedding.length, 128);
    assert.ok(usage.tokens > 0);
    const { embeddings } = await embedMany({
      model,
      values: ['a red lamp', 'the garden'],
      maxRetries: 0,
    });
    assert.deepEqual(embeddings[0], embedding);
  });

test('completions: a text is gone on with', async () => {
  for (const model of [openai.completion('any'), compatible.completionModel('any')]) {
    const { text, finishReason, usage } = await generateText({
      model,
      prompt: question,
      ...settings,
      maxOutputTokens: 2,
    });
    assert.equal(typeof text, 'string');
    assert.ok(['stop', 'length'].includes(finishReason));
    assert.equal(usage.totalTokens, usage.inputTokens + usage.outputTokens);
  }
});
