// Browsers that keep nothing, keep something newer, are told of a newer page, or are on plain http of a
// network, where much of what they otherwise offer is missing.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { becomes, browser, chunk, closeAll, ending, event, openPage, startStub, streams, until } from './world.mjs';

after(closeAll);

const answers = (text) => (_body, answer) =>
  streams(answer).end(event(chunk({ content: text }, { state: { id: 'st_a', prompt_id: 'st_b' } })) + ending());

async function stubSaying(text) {
  const stub = await startStub();
  stub.chat = answers(text);
  return stub;
}

async function contextWith(script) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-US', acceptDownloads: true });
  if (script) await context.addInitScript(script);
  return context;
}

test('without IndexedDB the page says so and works as long as it is open', async () => {
  const stub = await stubSaying('yes');
  const context = await contextWith(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('not here', 'InvalidStateError');
    };
  });
  const { page, send, log, done } = await openPage(stub.url, { context });
  await page.getByText(/This browser keeps nothing here/).waitFor();
  await send('hello');
  await log.getByText('yes', { exact: true }).waitFor();
  await send('again');
  await log.getByRole('article', { name: 'Answer, turn 2' }).getByText(/tok\/s/).waitFor();
  await done();
  await context.close();
});

test('without room the chat goes on, and can be exported', async () => {
  const stub = await stubSaying('yes');
  const context = await contextWith();
  const { page, send, log, done } = await openPage(stub.url, { context });
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  await page.evaluate(() => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  await send('more');
  await page.getByText(/The browser has no room left/).waitFor();
  await log.getByRole('article', { name: 'Answer, turn 2' }).getByText(/tok\/s/).waitFor();
  await becomes(() => page.getByRole('button', { name: 'Export all chats' }).count(), 1);
  await done();
  await context.close();
});

test('what a newer page has kept can be read and exported, and is not touched', async () => {
  const stub = await stubSaying('yes');
  const context = await contextWith();
  const first = await openPage(stub.url, { context });
  await first.send('hello');
  await first.log.getByText(/tok\/s/).waitFor();
  const address = new URL(first.page.url()).hash;
  await first.done();
  const upgrade = await context.newPage();
  await upgrade.goto(`${stub.url}favicon.svg`);
  await upgrade.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const asked = indexedDB.open('skein', 2);
        asked.onsuccess = () => (asked.result.close(), resolve());
        asked.onerror = () => reject(asked.error);
      }),
  );
  await upgrade.close();
  const { page, log, done } = await openPage(stub.url, { context, path: address });
  await page.getByText(/These chats belong to a newer page/).waitFor();
  await log.getByText('yes', { exact: true }).waitFor();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export all chats' }).click();
  assert.match(readFileSync(await (await download).path(), 'utf8'), /"content": "hello"/);
  await done();
  await context.close();
});

test('a page that is open while a newer one upgrades lets go, and says so', async () => {
  const stub = await stubSaying('yes');
  const context = await contextWith();
  const { page, send, log, done } = await openPage(stub.url, { context });
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  const newer = await context.newPage();
  await newer.goto(`${stub.url}favicon.svg`);
  await newer.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const asked = indexedDB.open('skein', 2);
        asked.onsuccess = () => (asked.result.close(), resolve());
        asked.onerror = asked.onblocked = () => reject(new Error('it does not let go'));
      }),
  );
  await page.getByText('A newer page is open: reload.').waitFor();
  await log.getByText('yes', { exact: true }).waitFor();
  await done();
  await context.close();
});

test('on plain http of a network copying, ids and chats work', async () => {
  const stub = await stubSaying('to be copied');
  // The name leads here; browsers do not trust it as they do localhost.
  const url = stub.url.replace('127.0.0.1', 'skein.test');
  const { page, box, send, log, done } = await openPage(url);
  await becomes(() => page.evaluate(() => isSecureContext), false);
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  const answer = log.getByRole('article', { name: /^Answer/ });
  await answer.hover();
  await answer.getByRole('button', { name: 'Copy' }).click();
  await box.focus();
  await page.keyboard.press('Control+v');
  await becomes(() => box.inputValue(), 'to be copied');
  await page.reload();
  await log.getByText('to be copied').waitFor();
  await done();
});

test('deleting what is being answered ends it', async () => {
  const stub = await startStub();
  let left = false;
  stub.chat = (_body, answer) => {
    streams(answer).write(event(chunk({ content: 'on and on' })));
    answer.on('close', () => (left = true));
  };
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('on and on').waitFor();
  const question = log.getByRole('article', { name: 'You, turn 1' });
  await question.hover();
  await question.getByRole('button', { name: 'Delete' }).click();
  await until(() => left, 'the end of the request');
  await log.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Send' }).waitFor();
  await done();
});

test('below a path the same page works', async () => {
  const stub = await stubSaying('yes');
  const { createServer, request } = await import('node:http');
  const to = new URL(stub.url);
  const proxy = createServer((question, answer) => {
    if (!question.url.startsWith('/x/')) return answer.writeHead(404).end();
    question.pipe(
      request({ host: to.hostname, port: to.port, path: question.url.slice(2), method: question.method, headers: question.headers }, (reply) => {
        answer.writeHead(reply.statusCode, reply.headers);
        reply.pipe(answer);
      }),
    );
  });
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const { send, log, done } = await openPage(`http://127.0.0.1:${proxy.address().port}/x/`);
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  await done();
  proxy.closeAllConnections();
  proxy.close();
});
