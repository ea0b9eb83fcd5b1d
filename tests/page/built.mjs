// What is committed of the page is what its sources and lock file make: types are checked, the modules that
// need no browser are tried, and the build gives the same bytes within the budget.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const committed = join(process.env.SKEIN_SOURCE, 'ui');
// Beside the packages that the lock file names.
const ui = process.env.SKEIN_UI_PACKAGES;
for (const name of readdirSync(committed))
  if (!['node_modules', 'dist'].includes(name)) {
    rmSync(join(ui, name), { recursive: true, force: true });
    cpSync(join(committed, name), join(ui, name), { recursive: true });
  }

function run(...words) {
  const { status, stdout, stderr } = spawnSync(process.execPath, words, { cwd: ui, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

const filesOf = (folder) =>
  readdirSync(folder, { recursive: true }).map(String).filter((name) => statSync(join(folder, name)).isFile()).sort();

test('the types hold', () => {
  run('node_modules/typescript/bin/tsc', '--noEmit');
});

test('the modules that need no browser do what they say', () => {
  const tests = readdirSync(join(ui, 'tests')).filter((name) => name.endsWith('.test.mjs')).map((name) => join('tests', name));
  run('--test', ...tests);
});

test('the sources make the committed bytes, within the budget', () => {
  const made = join(ui, 'made');
  mkdirSync(made, { recursive: true });
  console.log(run('build.mjs', made).split('\n').slice(-4).join('\n'));
  const dist = join(committed, 'dist');
  assert.deepEqual(filesOf(made), filesOf(dist), 'build ui/dist again: cd ui && npm ci && npm run build');
  for (const name of filesOf(made))
    assert.ok(readFileSync(join(made, name)).equals(readFileSync(join(dist, name))), `${name} differs: cd ui && npm ci && npm run build`);
});

test('the lock file names no registry', () => {
  for (const file of ['ui/package-lock.json', 'tests/page/package-lock.json'])
    for (const [address] of readFileSync(join(process.env.SKEIN_SOURCE, file), 'utf8').matchAll(/"resolved": "[^"]*/g))
      assert.match(address, /"resolved": "https:\/\/registry\.npmjs\.org\//);
});
