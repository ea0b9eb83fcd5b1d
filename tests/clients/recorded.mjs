// Requests as programs send them that cannot be run here, and answers as those read them: written
// down from what their sources and documentation say.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { base, key, word } from './skein.mjs';

const root = base.replace(/\/v1$/, '');
const at = (value, path) => path.reduce((one, name) => one?.[name], value);

// The objects of an answer, whichever way they come.
function objects_of(type, text) {
  if (type.startsWith('text/event-stream'))
    return text.split('\n\n').filter((one) => one.startsWith('data: {'))
      .map((one) => JSON.parse(one.slice(6)));
  return text.split('\n').filter((one) => one.trim()).map((one) => JSON.parse(one));
}

for (const program of ['continue', 'open_webui', 'sillytavern']) {
  const file = new URL(`recorded/${program}.json`, import.meta.url);
  for (const one of JSON.parse(readFileSync(file, 'utf8')))
    test(`${program}: ${one.what}`, async () => {
      const reply = await fetch(root + one.path, {
        method: one.method,
        headers: {
          // Continue sends both.
          authorization: `Bearer ${key}`, 'api-key': key,
          ...(one.body && { 'content-type': 'application/json' }),
          ...one.headers,
        },
        body: one.body && JSON.stringify(one.body),
      });
      const text = await reply.text();
      assert.equal(reply.status, one.status ?? 200, text);
      if (one.status) {
        assert.equal(typeof JSON.parse(text).error.message, 'string');
        return;
      }
      const objects = objects_of(reply.headers.get('content-type'), text);
      for (const name of one.has ?? []) assert.ok(name in objects[0], `${name} in ${text}`);
      if (!one.said) return;
      const said = objects.map((each) => at(each, one.said) ?? '').join('');
      if (one.reversed) assert.equal(said.trim(), word);
      if (one.probabilities) {
        const [first] = objects.find((each) => each.completion_probabilities).completion_probabilities;
        assert.equal(first.probs.length, 10);
        assert.equal(typeof first.probs[0].tok_str, 'string');
      }
    });
}
