// What docs/serving.md gives to paste, as it stands there but for the address and the key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import test, { mock } from 'node:test';
import { promisify } from 'node:util';
import { base, key } from './skein.mjs';

const page = readFileSync(process.env.SKEIN_PAGE, 'utf8');
const blocks = [...page.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, mark, text]) => ({
  mark,
  text: text.replaceAll('http://127.0.0.1:8080/v1', base).replaceAll("'none'", `'${key}'`)
    .replaceAll('http://127.0.0.1:8080', base.replace(/\/v1$/, '')).replaceAll('Bearer none', `Bearer ${key}`),
}));

const scripts = blocks.filter(({ mark }) => mark === 'js');
assert.ok(scripts.length >= 5);
for (const [at, { text }] of scripts.entries())
  test(text.split('\n')[0], async () => {
    // Beside the packages, as imports are looked for from where a file lies.
    const file = new URL(`page-${process.pid}-${at}.mjs`, import.meta.url);
    writeFileSync(file, text);
    // Where a client reports an error and goes on.
    const errors = [];
    mock.method(console, 'error', (error) => errors.push(error));
    try {
      await import(file);
      assert.deepEqual(errors, []);
    } finally {
      mock.restoreAll();
      rmSync(file);
    }
  });

const shell = blocks.filter(({ text }) => text.startsWith('curl '));
assert.ok(shell.length >= 1);
for (const { text } of shell)
  test('curl', async () => {
    const line = text.replace('-H', `-H 'Authorization: Bearer ${key}' -sS --fail -H`);
    const { stdout } = await promisify(execFile)('sh', ['-c', line]);
    assert.ok(stdout.endsWith('data: [DONE]\n\n'), stdout);
  });
