// Streams that no model makes, and servers in trouble.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { becomes, chunk, closeAll, ending, event, focused, openPage, refuses, startStub, streams, until } from './world.mjs';

after(closeAll);

const named = (page, name) => page.getByRole('button', { name, exact: true });
const says = (text) => event(chunk({ content: text }));
const thinks = (text) => event(chunk({ reasoning_content: text }));
const first = event(chunk({ role: 'assistant', content: '' }, { state: { id: 'st_after', prompt_id: 'st_before' } }));
const kRefused = /Failed to load resource/;
const lines = (count, text = 'line') => Array.from({ length: count }, (_, at) => `${text} ${at}\n\n`).join('');

test('Stop ends the request; nothing is added after it, and Continue goes on from the text', async () => {
  const stub = await startStub();
  let left = false;
  stub.chat = (body, answer, question) => {
    streams(answer).write(first + says('one two'));
    question.on('close', () => (left = true));
    answer.on('close', () => (left = true));
  };
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('one two').waitFor();
  await becomes(() => page.getByRole('button', { name: /^Send/ }).count(), 0);
  await named(page, 'Stop').click();
  await until(() => left, 'the end of the request');
  await log.getByText('Stopped').waitFor();
  await becomes(() => page.getByRole('button', { name: /^(Stop|Cancel)/ }).count(), 0);
  stub.chat = (body, answer) => streams(answer).end(first + says(' three') + ending());
  const answer = log.getByRole('article', { name: /^Answer/ });
  await answer.getByRole('button', { name: 'Continue' }).click();
  await log.getByText('one two three').waitFor();
  assert.deepEqual(stub.asked[1].messages, [{ role: 'assistant', content: 'one two' }]);
  assert.equal(stub.asked[1].parent, 'st_before');
  assert.equal(stub.asked[1].continue_final_message, true);
  await done();
});

test('Escape stops before the first word, and a retry answers', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => streams(answer).write(first);
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  await named(page, 'Stop').waitFor();
  await page.keyboard.press('Escape');
  await log.getByText('Stopped').waitFor();
  stub.chat = (_body, answer) => streams(answer).end(first + says('now') + ending());
  await log.getByRole('article', { name: /^Answer/ }).getByRole('button', { name: 'Retry' }).click();
  await log.getByText('now').waitFor();
  await done();
});

test('a busy server is asked three times, with a countdown, and then no more', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => refuses(answer, 429, { message: 'the queue is <b>full</b>' }, { 'Retry-After': '30' });
  const { page, send, log, box, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText(/Busy: the queue is full. Trying again in \d+ s/).waitFor();
  await log.getByText('the queue is <b>full</b>').waitFor();
  await becomes(() => named(page, 'Send').count(), 1);
  await named(page, 'Try now').click();
  await until(() => stub.asked.length === 2);
  await named(page, 'Try now').click();
  await log.getByRole('button', { name: 'Retry' }).first().waitFor();
  assert.equal(stub.asked.length, 3);
  await becomes(() => box.inputValue(), '');
  await log.getByText('hello').waitFor();
  await done({ allowed: kRefused });
});

test('a new message ends the waiting', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => refuses(answer, 429, { message: 'full' });
  const { send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText(/Trying again in/).waitFor();
  stub.chat = (_body, answer) => streams(answer).end(first + says('here') + ending());
  await send('again');
  await log.getByText('here').waitFor();
  await done({ allowed: kRefused });
});

test('a model that loads is waited for, and the message is sent by itself', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => {
    if (stub.asked.length < 3) refuses(answer, 503, { message: 'loading 40 %' }, { 'retry-after-ms': '150' });
    else streams(answer).end(first + says('ready') + ending());
  };
  const { send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('The model is loading').waitFor();
  await log.getByText('ready').waitFor();
  await done({ allowed: kRefused });
});

test('a refusal says the field and the server’s words', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => refuses(answer, 400, { message: '<img src=x onerror=alert(1)>', param: 'temperature' });
  const { send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('The server did not accept temperature.').waitFor();
  await log.getByText('<img src=x onerror=alert(1)>').waitFor();
  await done({ allowed: kRefused });
});

test('a stream that breaks, with or without a word, never looks finished', async () => {
  const ends = [
    (answer) => answer.end(),
    (answer) => answer.end(event({ error: { message: 'numbers went wrong' } })),
    (answer) => answer.end(event('[DONE]')),
    (answer) => answer.end('data: {"half'),
    (answer) => setTimeout(() => answer.destroy(), 50),
    (answer) => answer.end('data: no json\n\n'),
  ];
  for (const end of ends) {
    const stub = await startStub();
    stub.chat = (_body, answer) => {
      streams(answer).write(first + says('as far as'));
      end(answer);
    };
    const { page, send, log, done } = await openPage(stub.url);
    await send('hello');
    await log.getByText('Interrupted').waitFor();
    await log.getByText('as far as').waitFor();
    await log.getByRole('button', { name: 'Continue' }).first().waitFor();
    await becomes(() => named(page, 'Send').count(), 1);
    await page.reload();
    await log.getByText('Interrupted').waitFor();
    await done({ allowed: /net::ERR|Failed to load/ });
  }
});

test('what answers in place of the server is told apart', async () => {
  for (const [status, type, text] of [[502, 'text/html', '<h1>Bad gateway</h1>'], [200, 'text/html', '<h1>Log in</h1>'], [204, '', '']]) {
    const stub = await startStub();
    stub.chat = (_body, answer) => answer.writeHead(status, type ? { 'Content-Type': type } : {}).end(text);
    const { send, log, done } = await openPage(stub.url);
    await send('hello');
    await log.getByText(/What answered is not Skein|Interrupted/).waitFor();
    await becomes(() => log.getByRole('heading', { name: /Bad gateway|Log in/ }).count(), 0);
    await done({ allowed: kRefused });
  }
});

test('an empty answer and one that was cut at the limit say so', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => streams(answer).end(first + ending());
  const { send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('The answer is empty.').waitFor();
  stub.chat = (_body, answer) => streams(answer).end(first + says('too lo') + ending('length'));
  await send('more');
  await log.getByText('Cut at the token limit').waitFor();
  stub.chat = (_body, answer) => streams(answer).end(first + says('ng') + ending());
  await log.getByRole('article', { name: 'Answer, turn 2' }).getByRole('button', { name: 'Continue' }).first().click();
  await log.getByText('too long').waitFor();
  assert.equal(stub.asked[2].parent, 'st_after');
  assert.deepEqual(stub.asked[2].messages, []);
  await done();
});

test('a state that is gone costs a sentence: the whole text is told', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => streams(answer).end(first + says('one') + ending());
  const { send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  stub.chat = (body, answer) => {
    if (body.parent) refuses(answer, 404, { message: 'there is no such state', param: 'parent', code: 'state_not_found' });
    else streams(answer).end(first + says('two') + ending());
  };
  await send('again');
  await log.getByText('two', { exact: true }).waitFor();
  assert.equal(stub.asked[1].parent, 'st_after');
  assert.deepEqual(stub.asked[2].messages.map((message) => message.content), ['hello', 'one', 'again']);
  await log.getByText(/read 5 tokens|re-read/).last().waitFor();
  await done({ allowed: kRefused });
});

test('the key is asked for in one field, kept out of everything but the header, and forgotten', async () => {
  const stub = await startStub();
  stub.boot = { ...stub.boot, auth: 'key' };
  const given = [];
  stub.models = (question, answer) => {
    given.push(question.headers.authorization);
    if (question.headers.authorization !== 'Bearer right') return refuses(answer, 401, { message: 'no' });
    answer.end(JSON.stringify({ object: 'list', data: [{ id: 'stub', meta: {} }] }));
  };
  const { page, box, send, log, done } = await openPage(stub.url);
  const field = page.getByLabel('API key');
  await field.waitFor();
  await becomes(() => field.getAttribute('type'), 'password');
  await becomes(() => box.count(), 0);
  await field.fill('wrong');
  await field.press('Enter');
  await page.getByText('The server did not accept this key.').first().waitFor();
  await focused(field);
  await field.fill('right');
  await field.press('Enter');
  await box.waitFor();
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  assert.deepEqual(given.slice(0, 2), ['Bearer wrong', 'Bearer right']);
  const kept = await page.evaluate(() => [JSON.stringify(localStorage), location.href, document.body.textContent].join());
  assert.equal(kept.includes('right'), false);
  await page.reload();
  await box.waitFor();
  await page.evaluate(() => (location.hash = '#/settings'));
  await named(page, 'Forget key').click();
  await page.reload();
  await field.waitFor();
  await done({ allowed: kRefused });
});

test('thoughts are folded, counted, and stay open when somebody opened them', async () => {
  const stub = await startStub();
  let more;
  stub.chat = (_body, answer) => {
    streams(answer).write(first + thinks('let me see'));
    more = (text) => answer.write(text);
  };
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  const thought = log.locator('details');
  await thought.getByText(/^Thinking, \d+ token/).waitFor();
  await becomes(() => log.getByText('let me see').count(), 0);
  await thought.locator('summary').click();
  await log.getByText('let me see').waitFor();
  more(thinks(' further'));
  await log.getByText('let me see further').waitFor();
  more(says('So: yes.') + ending());
  await log.getByText('So: yes.').waitFor();
  await thought.getByText(/^Thought for/).waitFor();
  await becomes(() => thought.evaluate((element) => element.open), true);
  await named(page, 'Close thinking').click();
  await becomes(() => thought.evaluate((element) => element.open), false);
  await done();
});

test('an input method’s Enter sends nothing', async () => {
  const stub = await startStub();
  const { page, box, log, done } = await openPage(stub.url);
  await box.fill('ni');
  const press = (init) => box.evaluate((element, more) => element.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, ...more })), init);
  await press({ isComposing: true });
  await press({ keyCode: 229 });
  await box.evaluate((element) => element.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '你' })));
  await press({});
  await becomes(() => log.count(), 0);
  await becomes(() => box.inputValue(), 'ni');
  await page.waitForTimeout(150);
  await press({});
  await log.waitFor();
  await until(() => stub.asked.length === 1, 'the request');
  await done();
});

test('a stream is followed until one scrolls up, and again after the jump', async () => {
  const stub = await startStub();
  let more;
  stub.chat = (_body, answer) => {
    streams(answer).write(first + says(lines(80)));
    more = (text) => answer.write(text);
  };
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('line 79').waitFor();
  const distance = () => log.evaluate((element) => element.scrollHeight - element.clientHeight - element.scrollTop);
  await until(async () => (await distance()) < 64, 'the end in sight');
  await log.hover();
  await page.mouse.wheel(0, -600);
  await named(page, 'Jump to latest').or(page.getByRole('button', { name: /^Jump to latest/ })).waitFor();
  const at = await log.evaluate((element) => element.scrollTop);
  more(says(lines(40, 'later')));
  await log.getByText('later 39').waitFor({ state: 'attached' });
  assert.ok(Math.abs((await log.evaluate((element) => element.scrollTop)) - at) < 2);
  await page.getByRole('button', { name: /^Jump to latest/ }).click();
  await until(async () => (await distance()) < 64, 'the end in sight again');
  more(says(lines(40, 'last')));
  await log.getByText('last 39').waitFor({ state: 'attached' });
  await until(async () => (await distance()) < 64, 'the end followed');
  more(ending());
  await log.getByText(/tok\/s/).waitFor();
  await done();
});

test('a fast stream leaves the page usable: long frames are rare, and typing works', async () => {
  const stub = await startStub();
  stub.chat = async (_body, answer) => {
    streams(answer).write(first);
    for (let at = 0; at < 100; at += 1) {
      answer.write(Array.from({ length: 20 }, (_, one) => says(`word${at * 20 + one} ${one === 19 ? '\n\n' : ''}`)).join(''));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    answer.end(ending());
  };
  const { page, box, send, log, done } = await openPage(stub.url);
  await box.waitFor();
  await page.evaluate(() => {
    globalThis.longest = 0;
    let last = performance.now();
    const tick = (now) => {
      globalThis.longest = Math.max(globalThis.longest, now - last);
      last = now;
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await send('hello');
  await log.getByText('word100').first().waitFor();
  await box.pressSequentially('typing goes on');
  await log.getByText(/tok\/s/).waitFor({ timeout: 30_000 });
  await log.getByText('word1999').waitFor({ state: 'attached' });
  await becomes(() => box.inputValue(), 'typing goes on');
  console.log(`longest frame ${Math.round(await page.evaluate(() => globalThis.longest))} ms, ${await page.evaluate(() => document.querySelectorAll('*').length)} elements`);
  await done();
});

test('hostile texts stay texts, wherever they stand', async () => {
  const stub = await startStub();
  const evil = '<script>globalThis.pwned=1</script><img src=x onerror="globalThis.pwned=1"><svg onload=globalThis.pwned=1> [x](javascript:globalThis.pwned=1) ![y](http://192.0.2.1/y.png) <iframe srcdoc="<script>parent.pwned=1</script>"></iframe>';
  stub.models = (_question, answer) => answer.end(JSON.stringify({ object: 'list', data: [{ id: evil, meta: {} }, { id: 'other', meta: {} }] }));
  stub.chat = (_body, answer) => streams(answer).end(first + thinks(evil) + says(`${evil}\u202Egnp.exe\u200B ${'x'.repeat(200_000)}`) + ending());
  const { page, send, log, done } = await openPage(stub.url);
  await send(evil);
  await log.getByText(/tok\/s/).waitFor();
  await log.locator('summary').click();
  await page.reload();
  await log.getByText(/tok\/s/).waitFor();
  await becomes(() => page.evaluate(() => globalThis.pwned), undefined);
  await becomes(() => log.locator('script, iframe, img, svg:not(.icon)').count(), 0);
  await becomes(() => log.locator('a[href^="javascript:"]').count(), 0);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(overflow, 0);
  await send('still here');
  await log.getByText('still here').waitFor();
  await done();
});

test('a reload in the middle of an answer keeps what had come', async () => {
  const stub = await startStub();
  stub.chat = (_body, answer) => streams(answer).write(first + says('kept words'));
  const { page, send, log, done } = await openPage(stub.url);
  await send('hello');
  await log.getByText('kept words').waitFor();
  await page.waitForTimeout(1300);
  await page.reload();
  await log.getByText('kept words').waitFor();
  await log.getByText('Interrupted').waitFor();
  await log.getByRole('button', { name: 'Continue' }).first().waitFor();
  await done();
});

test('another tab shows an answer as being written, not as broken', async () => {
  const stub = await startStub();
  let more;
  stub.chat = (_body, answer) => {
    streams(answer).write(first + says('begun'));
    more = (text) => answer.write(text);
  };
  const one = await openPage(stub.url);
  await one.send('hello');
  await one.log.getByText('begun').waitFor();
  const two = await openPage(stub.url, { context: one.context, path: new URL(one.page.url()).hash });
  await two.log.getByText('Answering').waitFor();
  await two.page.waitForTimeout(700);
  await becomes(() => two.log.getByText('Interrupted').count(), 0);
  more(says(' and done') + ending());
  await two.log.getByText('begun and done').waitFor();
  await two.done();
  await one.done();
});

test('a server that goes is told quietly, and chats stay readable', async () => {
  const stub = await startStub();
  const { page, box, send, log, done } = await openPage(stub.url);
  stub.chat = (_body, answer) => streams(answer).end(first + says('one') + ending());
  await send('hello');
  await log.getByText(/tok\/s/).waitFor();
  await stub.end();
  await send('again');
  await page.getByText(/Not connected to the server/).waitFor();
  await log.getByText('The server cannot be reached.').waitFor();
  await box.fill('a draft');
  await log.getByText('one', { exact: true }).waitFor();
  await done({ allowed: /net::ERR|Failed to load/ });
});

test('a thousand turns open as fast as ten', async () => {
  const stub = await startStub();
  const { page, log, done } = await openPage(stub.url);
  const messages = Array.from({ length: 2000 }, (_, at) => ({ role: at % 2 ? 'assistant' : 'user', content: `message ${at}` }));
  await page.evaluate(() => (location.hash = '#/settings'));
  const chosen = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: 'Import chats' }).click();
  await (await chosen).setFiles({ name: 'long.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ messages })) });
  await page.getByRole('treeitem', { name: 'message 0' }).click();
  await log.getByText('message 1999').waitFor();
  assert.ok((await page.evaluate(() => document.querySelectorAll('*').length)) < 5000);
  await log.getByRole('article', { name: 'Answer, turn 1,000' }).waitFor();
  await log.evaluate((element) => (element.scrollTop = 0));
  await log.getByText('message 1940', { exact: true }).waitFor();
  await done();
});
