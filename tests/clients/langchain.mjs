// LangChain's `@langchain/openai`: chat models over both APIs, completions, embeddings.
import assert from 'node:assert/strict';
import test from 'node:test';
import { AIMessage, HumanMessage, SystemMessage } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI, OpenAIEmbeddings } from '@langchain/openai';
import { base, collect, greedy, key, question, word } from './skein.mjs';

const settings = { model: 'any', apiKey: key, configuration: { baseURL: base }, maxRetries: 0 };

for (const useResponsesApi of [false, true]) {
  const name = useResponsesApi ? 'responses' : 'chat';
  const chat = new ChatOpenAI({ ...settings, ...greedy, useResponsesApi });

  test(`${name}: a model is invoked`, async () => {
    const reply = await chat.invoke(question);
    assert.equal(reply.text, word);
    const { input_tokens, output_tokens, total_tokens } = reply.usage_metadata;
    assert.ok(input_tokens > 0 && output_tokens > 0);
    assert.equal(total_tokens, input_tokens + output_tokens);
  });

  test(`${name}: a stream says the same and its usage`, async () => {
    const whole = await chat.invoke(question);
    const chunks = await collect(await chat.stream(question));
    assert.ok(chunks.length > 2);
    assert.equal(chunks.map((one) => one.text).join(''), word);
    const sum = chunks.reduce((left, right) => left.concat(right));
    assert.equal(sum.usage_metadata.total_tokens, whole.usage_metadata.total_tokens);
  });

  test(`${name}: a conversation goes on`, async () => {
    const first = await chat.invoke([new SystemMessage('Be brief.'), new HumanMessage('Hello')]);
    const second = await chat.invoke([
      new SystemMessage('Be brief.'),
      new HumanMessage('Hello'),
      first,
      new HumanMessage(question),
    ]);
    assert.ok(second.usage_metadata.input_tokens > first.usage_metadata.input_tokens);
    assert.ok(second instanceof AIMessage);
  });

  test(`${name}: several are asked at once`, async () => {
    const replies = await chat.batch([question, question, question]);
    assert.deepEqual(replies.map((one) => one.text), [word, word, word]);
  });

  test(`${name}: an error arrives`, async () => {
    const wrong = new ChatOpenAI({ ...settings, useResponsesApi, topP: 7 });
    await assert.rejects(wrong.invoke(question), (error) => error.status === 400);
  });
}

test('completions: a text is gone on with, whole and streamed', async () => {
  const model = new OpenAI({ ...settings, ...greedy, maxTokens: 8 });
  const prompt = `User: ${question}\n\nAssistant:`;
  const text = await model.invoke(prompt);
  assert.ok(text.trim().startsWith(word.slice(0, 4)), text);
  assert.equal((await collect(await model.stream(prompt))).join(''), text);
});

test('texts become vectors', async () => {
  const model = new OpenAIEmbeddings(settings);
  const one = await model.embedQuery('a red lamp');
  assert.equal(one.length, 128);
  const all = await model.embedDocuments(['the garden', 'a red lamp']);
  assert.deepEqual(all[1], one);
});
