// LangChain's `@langchain/ollama`: its chat model, its completions and its vectors.
import assert from 'node:assert/strict';
import test from 'node:test';
import { HumanMessage, SystemMessage } from '@langchain/core/messages';
import { ChatOllama, Ollama, OllamaEmbeddings } from '@langchain/ollama';
import { about, assert_lamp, enough, lamp } from './forms.mjs';
import { base, collect, key, question, word } from './skein.mjs';

const settings = {
  model: 'tiny',
  baseUrl: base.replace(/\/v1$/, ''),
  headers: { authorization: `Bearer ${key}` },
  maxRetries: 0,
};
const chat = new ChatOllama({ ...settings, temperature: 0 });

test('a model is invoked, and streams the same', async () => {
  const reply = await chat.invoke(question);
  assert.equal(reply.text, word);
  assert.ok(reply.usage_metadata.input_tokens > 0 && reply.usage_metadata.output_tokens > 0);
  const chunks = await collect(await chat.stream(question));
  assert.equal(chunks.map((one) => one.text).join(''), word);
});

test('a conversation goes on', async () => {
  const begin = [new SystemMessage('Be brief.'), new HumanMessage('Hello')];
  const first = await chat.invoke(begin);
  const second = await chat.invoke([...begin, first, new HumanMessage(question)]);
  assert.ok(second.usage_metadata.input_tokens > first.usage_metadata.input_tokens);
});

test('an answer is of its schema', async () => {
  const wild = new ChatOllama({ ...settings, temperature: 2, numPredict: enough });
  assert_lamp(await wild.withStructuredOutput(lamp, { method: 'jsonSchema' }).invoke(about));
});

test('a text is gone on with', async () => {
  const model = new Ollama({ ...settings, temperature: 0, numPredict: 8 });
  const text = await model.invoke(question);
  assert.equal((await collect(await model.stream(question))).join(''), text);
});

test('texts become vectors', async () => {
  const model = new OllamaEmbeddings(settings);
  const one = await model.embedQuery('a red lamp');
  assert.deepEqual((await model.embedDocuments(['the garden', 'a red lamp']))[1], one);
});
