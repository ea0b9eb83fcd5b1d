// What the page is tried in: a Chromium, a real `skein serve` or a stub, and the eye that is kept on
// every page: nothing in the console, no request to anywhere else.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const { SKEIN_SOURCE, SKEIN_PROGRAM } = process.env;
const { serve } = await import(pathToFileURL(join(SKEIN_SOURCE, 'ui/serve.mjs')).href);
const kDist = process.env.SKEIN_DIST ?? join(SKEIN_SOURCE, 'ui/dist');
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const browser = await chromium.launch({
  executablePath: process.env.SKEIN_CHROMIUM ?? '/usr/bin/chromium',
  // Only root has to do without the sandbox. No request leaves this machine, and a name that is not the
  // machine's own leads to it.
  args: ['--host-resolver-rules=MAP skein.test 127.0.0.1', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
});

const ends = [];
export async function closeAll() {
  await browser.close();
  for (const end of ends.reverse()) await end();
}

function closed(server) {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

// A server of the bundled model, of its own, with the page.
export async function startSkein(words = [], environment = {}) {
  const model = `tiny=${join(SKEIN_SOURCE, 'models/bundled-0.pth')}`;
  const child = spawn(SKEIN_PROGRAM, ['serve', model, '--port', '0', '--threads', '1', '--log', 'off', ...(process.env.SKEIN_DIST ? ['--ui', kDist] : []), ...words], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const url = await new Promise((resolve, reject) => {
    child.stdout.on('data', (piece) => {
      said += piece;
      const found = /http:\/\/\S+/.exec(said);
      if (found) resolve(found[0]);
    });
    child.stderr.on('data', (piece) => (said += piece));
    child.on('exit', (code) => reject(new Error(`skein serve ended with ${code}: ${said}`)));
  });
  const end = () =>
    new Promise((resolve) => {
      if (child.exitCode !== null) return resolve();
      child.on('exit', () => resolve());
      child.kill('SIGTERM');
    });
  ends.push(end);
  return { url: `${url}/`, end };
}

export const kModels = {
  object: 'list',
  data: [{ id: 'stub', object: 'model', status: 'loaded', meta: { state_bytes: 4096, n_ctx_train: 4096 } }],
};

export function chunk(delta, more = {}) {
  return { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'stub', choices: [{ index: 0, delta, finish_reason: null }], ...more };
}
export const event = (value) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;

// The end of an answer that ended as it should.
export function ending(reason = 'stop', more = {}) {
  const usage = { prompt_tokens: 5, completion_tokens: 3, total_tokens: 8, prompt_tokens_details: { cached_tokens: 0 } };
  return (
    event({ id: 'c', model: 'stub', choices: [{ index: 0, delta: {}, finish_reason: reason }] }) +
    event({ id: 'c', model: 'stub', choices: [], usage, timings: { predicted_per_second: 50, predicted_ms: 60, prompt_ms: 2 }, ...more }) +
    event('[DONE]')
  );
}

// A server whose answers the test writes: `stub.chat(body, answer, question)`.
export async function startStub() {
  const stub = {
    asked: [], // bodies of chats
    boot: { version: '0', auth: 'none', features: [], limits: {}, languages: ['en', 'zh'] },
    chat: (_body, answer) => streams(answer).end(event(chunk({ content: 'yes' })) + ending()),
    models: (_question, answer) => answer.end(JSON.stringify(kModels)),
  };
  const json = { 'Content-Type': 'application/json' };
  const server = await serve(kDist, (question, answer) => {
    const { pathname } = new URL(question.url, 'http://localhost');
    if (pathname === '/ui/boot.json') return answer.writeHead(200, json).end(JSON.stringify(stub.boot));
    if (pathname === '/v1/models') return stub.models(question, answer);
    if (pathname === '/health') return answer.writeHead(200, json).end('{"status":"ok"}');
    if (pathname !== '/v1/chat/completions') return answer.writeHead(404, json).end('{"error":{"message":"not in the stub"}}');
    let text = '';
    question.on('data', (piece) => (text += piece));
    question.on('end', () => {
      const body = JSON.parse(text);
      stub.asked.push(body);
      stub.chat(body, answer, question);
    });
  });
  stub.url = `http://127.0.0.1:${server.address().port}/`;
  stub.end = () => closed(server);
  ends.push(stub.end);
  return stub;
}

export function streams(answer) {
  answer.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
  return answer;
}

export function refuses(answer, status, error, headers = {}) {
  answer.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify({ error }));
}

const kWidth = 1280;

// A page of its own browser profile. `done()` closes it and says what the eye has seen; a test in which
// an answer fails allows the browser its line about that.
export async function openPage(url, { width = kWidth, height = 800, locale = 'en-US', dark = false, path = '', context: given, ...more } = {}) {
  const context = given ?? (await browser.newContext({ viewport: { width, height }, locale, colorScheme: dark ? 'dark' : 'light', acceptDownloads: true, ...more }));
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const seen = [];
  const origin = new URL(url).origin;
  page.on('console', (message) => seen.push(`console ${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => seen.push(`error: ${error.stack ?? error.message}`));
  page.on('request', (request) => {
    const address = request.url();
    if (!address.startsWith('blob:') && !address.startsWith('data:') && new URL(address).origin !== origin) seen.push(`request to ${address}`);
  });
  await page.goto(url + path);
  const box = page.getByRole('textbox', { name: /^(Message|消息)$/ });
  const log = page.getByRole('log');
  return {
    page, context, box, log, seen,
    send: async (text) => {
      await box.fill(text);
      await box.press('Enter');
    },
    // Whose text is this, in the order of the transcript.
    turns: async () => log.getByRole('article').evaluateAll((all) => all.map((one) => one.getAttribute('aria-label'))),
    answered: (text) => log.getByRole('article').filter({ has: page.getByText(text, { exact: true }) }).last().getByText(/tok\/s|token\/秒/).waitFor(),
    done: async ({ allowed = null } = {}) => {
      if (!given) await context.close();
      else await page.close();
      assert.deepEqual(seen.filter((line) => !allowed?.test(line)), []);
    },
  };
}

// Rules of accessibility that are broken seriously, as short lines.
export async function axe(page) {
  await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(' | ')}`);
}

export async function until(holds, what = 'it', ms = 60_000) {
  const end = Date.now() + ms;
  while (Date.now() < end) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`${what} did not come about`);
}

// A page shows a moment later what was done, so it is asked until it does.
export async function becomes(get, value) {
  let last;
  const holds = async () => {
    last = await get();
    return last === value;
  };
  await until(holds).catch(() => assert.equal(last, value));
}

// Whether it has the focus, or has it no longer.
export const focused = (place, yes = true) => becomes(() => place.evaluate((element) => element === document.activeElement), yes);

export { serve, kDist };
