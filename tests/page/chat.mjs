// The tasks of a chat against a real server with the bundled model.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { becomes, closeAll, focused, openPage, startSkein } from './world.mjs';

const { url } = await startSkein();
after(closeAll);

const named = (page, name) => page.getByRole('button', { name, exact: true });
const bodies = (page) => {
  const list = [];
  page.on('request', (request) => {
    if (request.url().endsWith('/v1/chat/completions')) list.push(request.postDataJSON());
  });
  return list;
};

test('the first minute: one box, with the focus, and Send', async () => {
  const { page, box, done } = await openPage(url);
  await box.waitFor();
  await becomes(() => page.getByRole('textbox').count(), 1);
  await focused(box);
  await becomes(() => page.getByRole('button', { name: /^Send/ }).count(), 1);
  await becomes(() => page.getByRole('button', { name: /^(Stop|Cancel)/ }).count(), 0);
  await page.getByText(/tiny · thinking/).waitFor();
  await becomes(() => page.getAttribute('html', 'lang'), 'en');
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  const bytes = await page.evaluate(() => performance.getEntriesByType('resource').reduce((sum, one) => sum + one.encodedBodySize, 0));
  console.log(`first paint after ${Math.round(paint)} ms, ${Math.round(bytes / 1024)} KiB loaded`);
  await done();
});

test('a message is answered, and the next one goes on from the state', async () => {
  const { page, box, send, turns, answered, log, done } = await openPage(url);
  const asked = bodies(page);
  await send('Reverse: garden');
  await answered('nedrag');
  await becomes(() => box.inputValue(), '');
  await focused(box);
  await send('What is 27+46?');
  await answered('73');
  await log.getByText('continued from state').waitFor();
  assert.deepEqual(await turns(), ['You, turn 1', 'Answer, turn 1', 'You, turn 2', 'Answer, turn 2']);
  assert.equal(asked.length, 2);
  assert.match(asked[1].parent, /^st_/);
  assert.deepEqual(asked[1].messages, [{ role: 'user', content: 'What is 27+46?' }]);
  assert.match(await page.title(), /^Reverse: garden/);
  await done();
});

test('a retry is a version beside the answer and costs one state', async () => {
  const { page, send, turns, answered, log, done } = await openPage(url);
  const asked = bodies(page);
  await send('Reverse: garden');
  await answered('nedrag');
  await log.getByRole('article', { name: /^Answer/ }).hover();
  await log.getByRole('article', { name: /^Answer/ }).getByRole('button', { name: 'Retry' }).click();
  await page.getByText('2 / 2').waitFor();
  await answered('nedrag');
  assert.deepEqual(asked[1].messages, []);
  assert.match(asked[1].parent, /^st_/);
  assert.deepEqual(await turns(), ['You, turn 1', 'Answer 2 of 2, turn 1']);
  await named(page, 'Previous version').click();
  assert.deepEqual(await turns(), ['You, turn 1', 'Answer 1 of 2, turn 1']);
  await page.getByText('1 message on another branch').waitFor();
  await done();
});

test('an edited question is another branch, and the old one stays', async () => {
  const { page, send, turns, answered, log, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  const first = log.getByRole('article', { name: 'You, turn 1' });
  await first.hover();
  await first.getByRole('button', { name: 'Edit' }).click();
  const field = page.getByRole('textbox', { name: 'Edit message' });
  await becomes(() => field.inputValue(), 'Reverse: garden');
  await field.fill('What is 27+46?');
  await named(page, 'Save and answer').click();
  await answered('73');
  await page.getByText('2 messages on another branch').waitFor();
  await becomes(() => log.getByText('nedrag', { exact: true }).count(), 0);
  await log.getByRole('article', { name: 'You, turn 1' }).hover();
  await log.getByRole('article', { name: 'You, turn 1' }).getByRole('button', { name: 'Previous version' }).click();
  await log.getByText('nedrag', { exact: true }).waitFor();
  assert.deepEqual(await turns(), ['You, turn 1', 'Answer, turn 1']);
  await done();
});

test('a branch goes on from an earlier answer, and a reload finds all of it', async () => {
  const { page, send, turns, answered, log, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await send('What is 27+46?');
  await answered('73');
  const first = log.getByRole('article', { name: 'Answer, turn 1' });
  await first.hover();
  await first.getByRole('button', { name: 'Branch' }).click();
  await page.getByText('2 messages on another branch').waitFor();
  await send('Reverse: lamp');
  await answered('pmal');
  assert.deepEqual(await turns(), ['You, turn 1', 'Answer, turn 1', 'You, turn 2', 'Answer, turn 2']);
  await page.reload();
  await log.getByText('pmal', { exact: true }).waitFor();
  await becomes(() => log.getByText('73', { exact: true }).count(), 0);
  await log.getByRole('article', { name: 'You, turn 2' }).hover();
  await log.getByRole('article', { name: 'You, turn 2' }).getByRole('button', { name: 'Previous version' }).click();
  await log.getByText('73', { exact: true }).waitFor();
  await done();
});

test('what is deleted comes back with Undo', async () => {
  const { page, send, turns, answered, log, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  const answer = log.getByRole('article', { name: /^Answer/ });
  await answer.hover();
  await answer.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Undo' }).waitFor();
  assert.deepEqual(await turns(), ['You, turn 1']);
  await named(page, 'Undo').click();
  await log.getByText('nedrag', { exact: true }).waitFor();

  await page.getByLabel('More').click();
  await named(page, 'Delete chat').click();
  await page.getByText('No chats yet').waitFor();
  await named(page, 'Undo').click();
  await log.getByText('nedrag', { exact: true }).waitFor();
  await done();
});

test('a text that is mounted to a message is asked about, and kept', async () => {
  const { page, box, send, answered, log, done } = await openPage(url);
  const asked = bodies(page);
  const chosen = page.waitForEvent('filechooser');
  await named(page, 'Add document').click();
  await (await chosen).setFiles({ name: 'a <b>.txt', mimeType: 'text/plain', buffer: Buffer.from('One day Mia found a red lamp.\n') });
  await page.getByText('a <b>.txt').waitFor();
  await page.reload();
  await page.getByText('a <b>.txt').waitFor();
  await send('What did Mia find?');
  await log.getByText(/tok\/s/).waitFor();
  assert.match(asked[0].messages[0].content, /^a <b>\.txt:\nOne day Mia found a red lamp\.\n\nWhat did Mia find\?$/);
  await page.reload();
  await log.getByText('a <b>.txt').waitFor();
  await becomes(() => box.inputValue(), '');
  await done();
});

test('a document is read once, asked about, and its chat says so', async () => {
  const { page, send, log, done } = await openPage(url, { path: '#/documents' });
  const asked = bodies(page);
  const chosen = page.waitForEvent('filechooser');
  await named(page, 'Choose a text file').click();
  await (await chosen).setFiles({ name: 'mia.txt', mimeType: 'text/plain', buffer: Buffer.from('One day Mia found a red lamp.\n'.repeat(40)) });
  await named(page, 'Read it').click();
  await named(page, 'Ask about it: mia.txt').click();
  const chip = page.locator('.chip', { hasText: 'mia.txt' });
  await chip.waitFor();
  await send('What did Mia find?');
  await log.getByText(/tok\/s.* · read \d+ tokens/).waitFor();
  assert.ok(asked[0].parent);
  await chip.waitFor();
  await named(page, 'Remove mia.txt').click();
  await chip.waitFor({ state: 'detached' });
  await send('And who?');
  await log.getByText(/re-read \d+ tokens/).waitFor();
  assert.equal(asked[1].parent, undefined);
  await done();
});

test('a draft survives a reload and stays with its chat', async () => {
  const { page, box, send, answered, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await box.fill('half a thought');
  await page.waitForTimeout(500);
  await page.reload();
  await page.waitForFunction(() => document.querySelector('#message')?.value === 'half a thought');
  await named(page, 'New chat').click();
  await page.waitForFunction(() => document.querySelector('#message')?.value === '');
  await page.getByRole('treeitem', { name: 'Reverse: garden' }).click();
  await page.waitForFunction(() => document.querySelector('#message')?.value === 'half a thought');
  await done();
});

test('the language is switched in the menu, at once and for good', async () => {
  const { page, box, send, answered, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await page.getByLabel('More').click();
  await page.getByRole('combobox', { name: 'Language' }).selectOption('zh');
  await page.getByRole('textbox', { name: '消息', exact: true }).waitFor();
  await becomes(() => page.getAttribute('html', 'lang'), 'zh-CN');
  await page.getByRole('button', { name: '发送' }).waitFor();
  await page.getByRole('article', { name: '你，第 1 轮' }).waitFor();
  await page.reload();
  await page.getByRole('button', { name: '新对话' }).waitFor();
  await box.waitFor();
  await done();
});

test('the language follows the browser', async () => {
  const { page, done } = await openPage(url, { locale: 'zh-CN' });
  await page.getByRole('button', { name: '发送' }).waitFor();
  await page.getByRole('searchbox', { name: '搜索对话' }).waitFor();
  await page.getByRole('navigation', { name: '对话', exact: true }).waitFor();
  await done();
});

test('everything by keyboard alone', async () => {
  const { page, box, answered, turns, log, done } = await openPage(url);
  const { keyboard } = page;
  await box.waitFor();
  await keyboard.type('Reverse: garden');
  await keyboard.press('Enter');
  await answered('nedrag');
  // To the answer, retry, back to the first version.
  await keyboard.press('Alt+ArrowUp');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Answer, turn 1');
  await keyboard.press('r');
  await page.getByText('2 / 2').waitFor();
  await answered('nedrag');
  await keyboard.press('Alt+ArrowDown');
  await keyboard.press('Alt+ArrowDown');
  await keyboard.press('Alt+ArrowLeft');
  await page.getByText('1 / 2').waitFor();
  // Branch puts the focus into the box; Tab leaves it.
  await keyboard.press('b');
  await focused(box);
  await keyboard.type('What is 27+46?');
  await keyboard.press('Tab');
  await focused(box, false);
  await keyboard.press('Enter');
  await answered('73');
  // Up in the empty box edits the last question; Escape leaves that.
  await keyboard.press('ArrowUp');
  await page.getByRole('textbox', { name: 'Edit message' }).waitFor();
  await keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'You, turn 2');
  assert.equal((await turns()).length, 4);
  await keyboard.press('/');
  await focused(box);
  await keyboard.press('Control+k');
  await page.waitForFunction(() => document.activeElement?.id === 'search');
  await keyboard.type('27+46');
  await page.getByRole('treeitem').filter({ hasText: '27+46' }).waitFor();
  await keyboard.press('Control+Shift+o');
  await page.waitForFunction(() => document.activeElement?.id === 'message');
  await log.waitFor({ state: 'detached' });
  await keyboard.press('Tab');
  await keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await done();
});

test('a chat is renamed and pinned, and its Markdown has what is shown', async () => {
  const { page, send, answered, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await page.getByLabel('More').click();
  await named(page, 'Rename').click();
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Title of the chat');
  await page.keyboard.type('Words <b> backwards');
  await page.keyboard.press('Enter');
  await page.getByRole('treeitem', { name: 'Words <b> backwards' }).waitFor();
  await page.waitForFunction(() => document.title.startsWith('Words <b> backwards'));
  await page.getByLabel('More').click();
  await named(page, 'Pin').click();
  await page.getByText('Pinned').waitFor();
  await page.getByLabel('More').click();
  const download = page.waitForEvent('download');
  await named(page, 'Export as Markdown').click();
  const file = await download;
  assert.equal(file.suggestedFilename(), 'Words b backwards.md');
  assert.equal(readFileSync(await file.path(), 'utf8'), '# Words <b> backwards\n\n## You\n\nReverse: garden\n\n## Answer\n\nnedrag\n');
  await done();
});

test('a search finds words of every branch, and opens the place', async () => {
  const { page, send, answered, log, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await log.getByRole('article', { name: 'You, turn 1' }).hover();
  await log.getByRole('article', { name: 'You, turn 1' }).getByRole('button', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Edit message' }).fill('What is 27+46?');
  await named(page, 'Save and answer').click();
  await answered('73');
  await named(page, 'New chat').click();
  await page.getByRole('searchbox', { name: 'Search chats' }).fill('NEDRAG');
  await page.getByRole('treeitem').filter({ hasText: 'nedrag' }).click();
  await page.waitForFunction(() => document.activeElement?.getAttribute('aria-label') === 'Answer, turn 1');
  await log.getByText('nedrag', { exact: true }).waitFor();
  await done();
});

test('export and import: the same chat again, without the key', async () => {
  const { page, send, answered, log, done } = await openPage(url);
  await send('Reverse: garden');
  await answered('nedrag');
  await page.getByLabel('More').click();
  const download = page.waitForEvent('download');
  await named(page, 'Export chat').click();
  const file = await (await download).path();
  await page.evaluate(() => (location.hash = '#/settings'));
  const chosen = page.waitForEvent('filechooser');
  await named(page, 'Import chats').click();
  await (await chosen).setFiles(file);
  await page.getByText('Imported 1 chat with 2 messages.').first().waitFor();
  await becomes(() => page.getByRole('treeitem', { name: 'Reverse: garden' }).count(), 2);
  await page.getByRole('treeitem', { name: 'Reverse: garden' }).first().click();
  await log.getByText('nedrag', { exact: true }).waitFor();
  await done();
});

test('two tabs on one chat: both write, none loses a turn', async () => {
  const one = await openPage(url);
  await one.send('Reverse: garden');
  await one.answered('nedrag');
  const two = await openPage(url, { context: one.context, path: new URL(one.page.url()).hash });
  await two.log.getByText('nedrag', { exact: true }).waitFor();
  await Promise.all([one.send('Reverse: lamp'), two.send('What is 27+46?')]);
  await one.answered('pmal');
  await two.answered('73');
  // Each stays where it was; the other's turn is a version beside its own.
  await becomes(() => one.log.getByText('73', { exact: true }).count(), 0);
  await one.page.getByText('2 messages on another branch').waitFor();
  await one.page.reload();
  await one.log.getByText('pmal', { exact: true }).waitFor();
  await one.page.getByText('2 messages on another branch').waitFor();
  await two.done();
  await one.done();
});

test('on a narrow screen the same works, and nothing scrolls sideways', async () => {
  for (const [width, height] of [[390, 780], [320, 640], [740, 360]]) {
    const { page, box, answered, done } = await openPage(url, { width, height, hasTouch: true });
    // On glass Enter makes a line.
    await box.fill('Reverse:');
    await box.press('Enter');
    await becomes(() => box.inputValue(), 'Reverse:\n');
    await box.fill('Reverse: garden');
    await named(page, 'Send').click();
    await answered('nedrag');
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(overflow, 0, `${width} px`);
    for (const part of [box, named(page, 'Send')]) {
      const place = await part.boundingBox();
      assert.ok(place.x >= 0 && place.y >= 0 && place.x + place.width <= width && place.y + place.height <= height, `${width} px`);
    }
    if (width < 640) {
      await named(page, 'Menu').click();
      await page.getByRole('dialog', { name: 'Conversations' }).getByRole('treeitem').waitFor();
      await page.keyboard.press('Escape');
      await page.getByRole('dialog').waitFor({ state: 'detached' });
    }
    await box.blur();
    await named(page, 'New chat').waitFor();
    await done();
  }
});
