// The views beside the chat, against a server with all that they ask: what they show, by keyboard too, what
// they do with names that are no names, and that none breaks a rule of accessibility or scrolls sideways.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startViews } from './views_stub.mjs';
import { axe, becomes, closeAll, focused, openPage, until } from './world.mjs';

const pictures = process.env.SKEIN_PICTURES ?? join(process.cwd(), 'pictures');
mkdirSync(pictures, { recursive: true });
const server = await startViews();
after(async () => {
  await closeAll();
  server.close();
});
const open = (path, more) => openPage(server.url, { path, ...more });

async function look(page, name) {
  await page.waitForTimeout(100);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  const wide = await page.evaluate(() => {
    const view = document.querySelector('.view');
    return Math.max(document.documentElement.scrollWidth - document.documentElement.clientWidth, view ? view.scrollWidth - view.clientWidth : 0);
  });
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px`);
  assert.deepEqual(await axe(page), [], name);
  await becomes(() => page.evaluate(() => globalThis.done), undefined);
}

test('arrow keys read the cells of a state, and a table says the same', async () => {
  const { page, done } = await open('#/state/st_a');
  const map = page.getByRole('img', { name: /^Strength of 32 layers with 40 heads: from .* to .*/ });
  await map.focus();
  await page.keyboard.press('ArrowRight');
  const readout = page.locator('.readout').first();
  assert.match(await readout.innerText(), /^Layer 0, head 0: [\d.]+/);
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown']) await page.keyboard.press(key);
  const said = await readout.innerText();
  assert.match(said, /^Layer 1, head 2: /);
  await page.getByText('As a table').first().click();
  const cell = page.getByRole('table').first().locator('tbody tr').nth(1).locator('td').nth(2);
  assert.equal(`Layer 1, head 2: ${await cell.innerText()}`, said.split(' · ')[0]);
  await page.keyboard.press('Tab');
  await done();
});

test('a change is told since another state of the same model', async () => {
  const { page, done } = await open('#/state/st_a');
  await page.getByRole('radio', { name: 'Change' }).check();
  await page.getByRole('img', { name: /^Change of 32 layers/ }).waitFor();
  assert.ok(server.asked.some((line) => /st_a\/stats\?fields=change&since=st_b/.test(line)));
  await done();
});

test('each token is tinted by what it did to the state', async () => {
  const { page, done } = await open('#/state/st_a');
  await page.getByRole('button', { name: 'Show the tokens' }).click();
  const strip = page.getByRole('img', { name: /^256 tokens, tinted/ });
  await strip.focus();
  await page.keyboard.press('End');
  await page.getByText(/^Token 12,431 “.*”: moved the state by [\d.]+ %, surprise [\d.]+ nats$/).waitFor();
  await page.getByRole('button', { name: 'Earlier tokens' }).click();
  await page.getByText('Tokens 11,920 to 12,175 of 12,431').waitFor();
  await done();
});

test('of two states the texts come first, and then the heads', async () => {
  const { page, done } = await open('#/state/st_a');
  await page.getByRole('combobox', { name: 'Compare with' }).selectOption('st_b');
  const column = page.locator('.columns .column');
  await page.getByText('The first 11,902 bytes of text are the same').waitFor();
  assert.match(await column.nth(1).innerText(), /Start it, and water will come/);
  await page.getByRole('img', { name: /^Distance of 32 layers/ }).waitFor();
  await page.getByRole('radio', { name: 'Cosine' }).check();
  await page.getByRole('img', { name: /^Cosine of 32 layers/ }).waitFor();
  await done();
});

test('a race runs to its end, is told as it goes, and can be stopped', async () => {
  const { page, done } = await open('#/race');
  await becomes(() => page.getByRole('button', { name: /^(Stop|Cancel)/ }).count(), 0);
  await page.getByRole('combobox', { name: 'How far' }).selectOption('1000000');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('button', { name: 'Stop' }).click();
  await page.getByText('Stopped before the end.').waitFor();
  await page.getByRole('combobox', { name: 'How far' }).selectOption('1000');
  await page.getByRole('button', { name: 'Start again' }).click();
  await until(async () => (await page.getByRole('progressbar').getAttribute('aria-valuenow')) === '1000', 'the end of the race');
  await page.getByRole('img', { name: /Memory of this server: .* A Transformer’s cache, calculated, would grow to 125 MiB/ }).waitFor();
  await page.getByText(/With fewer tokens than about 83 the calculated cache is the smaller one/).waitFor();
  await done();
});

test('a document is read, stopped, gone on with, and asked about', async () => {
  const { page, box, done } = await open('#/documents');
  const choose = async (text) => {
    const chosen = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose a text file' }).click();
    await (await chosen).setFiles({ name: 'pump.txt', mimeType: 'text/plain', buffer: Buffer.from(text) });
  };
  await choose('Prime the pump. '.repeat(4000));
  await page.getByRole('textbox', { name: 'What will you ask it?' }).fill('Answer questions about the pump.');
  await page.getByRole('button', { name: 'Read it' }).click();
  await page.getByRole('button', { name: 'Stop reading pump.txt' }).click();
  await page.getByText(/^Stopped\. What was read is kept/).waitFor();
  await page.getByRole('button', { name: 'Go on reading' }).click();
  await page.getByRole('button', { name: 'Ask about it', exact: true }).first().click();
  await box.waitFor();
  await focused(box);
  await page.evaluate(() => (location.hash = '#/documents'));
  assert.match(await page.getByText(/^Read once and kept as a state of fixed size/).innerText(), /details fade with length/);
  await becomes(() => page.getByText(/\u202e/).count(), 0, 'a name turns nothing around');
  await done();
});

test('a document is pinned and deleted, the latter after one more question', async () => {
  const { page, done } = await open('#/documents');
  const card = page.getByRole('listitem').filter({ hasText: 'manual.txt' });
  await card.getByRole('button', { name: 'Unpin' }).click();
  await card.getByRole('button', { name: 'Pin', exact: true }).waitFor();
  await card.getByRole('button', { name: /^Delete/ }).click();
  await card.getByRole('button', { name: 'Delete for good' }).click();
  await card.waitFor({ state: 'detached' });
  await done();
});

test('a cartridge of another model says why it is of no use', async () => {
  const { page, box, done } = await open('#/cartridges');
  const lawyer = page.getByRole('listitem').filter({ hasText: 'lawyer' });
  await becomes(() => lawyer.getByRole('button', { name: 'New chat with it' }).isDisabled(), true);
  assert.match(await lawyer.innerText(), /Its model is not loaded here/);
  await page.getByRole('listitem').filter({ hasText: 'pirate' }).getByRole('button', { name: 'New chat with it' }).click();
  await box.waitFor();
  await done();
});

test('a conversation is a tree that the keyboard walks, and its answers stand side by side', async () => {
  const { page, box, log, send, done } = await open('');
  await box.waitFor();
  await send('How do I start the pump?');
  await log.getByRole('article', { name: /^Answer/ }).getByText(/tok\/s/).waitFor();
  await log.getByRole('article', { name: /^Answer/ }).getByRole('button', { name: 'Retry' }).click();
  await log.getByRole('article', { name: 'Answer 2 of 2, turn 1' }).getByText(/tok\/s/).waitFor();
  await page.evaluate(() => (location.hash = '#/tree'));
  const items = page.getByRole('treeitem', { name: /You|Answer/ });
  await until(async () => (await page.locator('.turn-tree [role=treeitem]').count()) === 3, 'three turns');
  await becomes(() => page.locator('.turn-tree [role=treeitem][tabindex="0"]').count(), 1, 'one Tab stop');
  await page.locator('.turn-tree [tabindex="0"]').focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowDown');
  await look(page, 'tree-light-1280');
  await page.keyboard.press('Enter');
  await log.getByRole('article', { name: 'Answer 1 of 2, turn 1' }).waitFor();
  await page.evaluate(() => (location.hash = '#/compare'));
  await page.getByRole('article', { name: 'Answer 2 of 2, turn 1' }).waitFor();
  await becomes(() => page.getByRole('article').count(), 2);
  await look(page, 'compare-light-1280');
  await page.getByRole('button', { name: 'Another answer' }).click();
  await page.getByRole('article', { name: 'Answer 3 of 3, turn 1' }).getByText(/tok\/s/).waitFor();
  await page.getByRole('button', { name: 'Go on from here: Answer 2 of 3, turn 1' }).click();
  await log.getByRole('article', { name: 'Answer 2 of 3, turn 1' }).waitFor();
  assert.ok((await items.count()) >= 0);
  await done();
});

test('views that the server cannot fill are not there', async () => {
  const plain = await startViews({ features: [] });
  const { page, box, done } = await openPage(plain.url, {});
  await box.waitFor();
  const links = page.getByRole('navigation', { name: 'Views' }).getByRole('link');
  assert.deepEqual(await links.allInnerTexts(), ['Tree', 'Compare', 'Models', 'Settings']);
  await page.evaluate(() => (location.hash = '#/race'));
  await box.waitFor();
  await done();
  plain.close();
});

for (const dark of [false, true])
  for (const [width, height] of [[1280, 900], [390, 844], [320, 640]])
    test(`every view, ${dark ? 'dark, Chinese' : 'light, English'}, ${width} px`, async () => {
      const { page, done } = await open('#/models', { width, height, dark, locale: dark ? 'zh-CN' : 'en-US' });
      for (const name of ['models', 'state', 'documents', 'cartridges', 'race']) {
        await page.evaluate((to) => (location.hash = `#/${to}`), name);
        await page.getByRole('heading', { level: 2 }).first().waitFor();
        if (name === 'state') await page.locator('canvas.heat').first().waitFor();
        if (name === 'state') {
          await page.getByRole('button', { name: /^(Show the tokens|显示 token)$/ }).click();
          await page.locator('.strip').waitFor();
          await page.getByRole('combobox', { name: /^(Compare with|比较对象)$/ }).selectOption('st_b');
          await page.locator('canvas.heat').nth(1).waitFor();
        }
        if (name === 'race') {
          await page.getByRole('button', { name: /^(Start|开始)$/ }).click();
          await page.getByRole('button', { name: /^(Start again|再来一次)$/ }).waitFor();
        }
        await look(page, `${name}-${dark ? 'dark' : 'light'}-${width}`);
      }
      await done();
    });
