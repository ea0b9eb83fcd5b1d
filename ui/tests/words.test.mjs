import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { en } = await load('i18n/en.ts');
const { zh } = await load('i18n/zh.ts');
const { titleOf, newId } = await load('data/types.ts');

function* texts(words, path = []) {
  for (const [name, value] of Object.entries(words)) {
    const here = [...path, name];
    if (typeof value === 'function') yield [here, String(value(...Array(value.length).fill(3)))];
    else if (typeof value === 'object') yield* texts(value, here);
    else yield [here, value];
  }
}

test('both languages say the same things, and none of them nothing', () => {
  const names = (words) => [...texts(words)].map(([path]) => path.join('.'));
  assert.deepEqual(names(zh), names(en));
  for (const words of [en, zh]) for (const [path, text] of texts(words)) assert.notEqual(text.trim(), '', path.join('.'));
});

test('what is written in Chinese is Chinese', () => {
  const same = new Set([...texts(en)].map(([, text]) => text));
  const untranslated = [...texts(zh)].filter(([, text]) => same.has(text) && /[a-z]{4}/.test(text)).map(([path]) => path.join('.'));
  assert.deepEqual(untranslated, ['appName', 'version']);
});

test('a title is the first words of a question', () => {
  assert.equal(titleOf('  one\n two '), 'one two');
  assert.equal(titleOf('word '.repeat(20)).length <= 49, true);
  assert.equal(titleOf('字'.repeat(100)), `${'字'.repeat(48)}…`);
  assert.equal(titleOf('👩‍👩‍👧'.repeat(60)).includes('\uFFFD'), false);
});

test('ids do not repeat', () => {
  assert.equal(new Set(Array.from({ length: 1000 }, newId)).size, 1000);
});
