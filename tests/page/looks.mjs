// Each view in both themes and at three widths: no rule of accessibility is broken seriously, nothing
// scrolls sideways, and a picture of each is kept beside the build.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { axe, becomes, closeAll, openPage, startSkein } from './world.mjs';

const pictures = process.env.SKEIN_PICTURES ?? join(process.cwd(), 'pictures');
mkdirSync(pictures, { recursive: true });
const { url } = await startSkein();
after(closeAll);

const sizes = [[1280, 800], [390, 780], [320, 640]];

// A chat with a bit of everything that is looked at.
const chat = {
  messages: [
    { role: 'user', content: 'Show me **everything**: code, a table, 数学。' },
    {
      role: 'assistant',
      content: [
        '# Heading', 'Some *text* with `code`, a [link](https://example.org/a) and **注意：**后文。',
        '```python\ndef f(n):\n    return 1 if n < 2 else n * f(n - 1)  # recursion\n```',
        '| a | b | a long heading of a column | and yet another one |\n|---|---|---|---|\n| 1 | 2 | 3 | 4 |',
        'Inline \\(a^2 + b^2 = c^2\\) and', '$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$', '> quoted\n\n1. one\n2. two\n   - three',
        `${'w'.repeat(200)} https://example.org/${'long/'.repeat(40)}`,
      ].join('\n\n'),
    },
    { role: 'user', content: 'مرحبا بالعالم' },
    { role: 'assistant', content: '好的。' },
  ],
};

async function importChat(page) {
  await page.evaluate(() => (location.hash = '#/settings'));
  const chosen = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: /Import chats|导入对话/ }).click();
  await (await chosen).setFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ title: 'Everything', ...chat })) });
  await page.getByText(/Imported 1 chat|导入了 1 个对话/).first().waitFor();
  await page.locator('.toast').getByRole('button', { name: /Close|关闭/ }).click();
}

async function look(page, name) {
  await page.waitForTimeout(150);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, `${name} scrolls sideways`);
  assert.deepEqual(await axe(page), [], name);
}

for (const dark of [false, true])
  for (const [width, height] of sizes) {
    const form = `${dark ? 'dark' : 'light'}-${width}`;
    test(`every view, ${form}`, async () => {
      const { page, box, log, done } = await openPage(url, { width, height, dark, locale: dark ? 'zh-CN' : 'en-US' });
      await box.waitFor();
      await page.getByText(/tiny · /).waitFor();
      await look(page, `new-${form}`);
      await importChat(page);
      // Where the navigation leads, whatever there is.
      if (width < 1100) await page.getByRole('button', { name: /^(Menu|菜单)$/ }).click();
      const links = await page.getByRole('navigation', { name: /^(Views|视图)$/ }).getByRole('link').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
      if (width < 1100) {
        await look(page, `menu-${form}`);
        await page.keyboard.press('Escape');
      }
      for (const link of links) {
        await page.evaluate((href) => (location.hash = href), link);
        await page.waitForFunction(() => !/^(Loading|正在载入)/.test(document.querySelector('.view')?.textContent ?? 'Loading'));
        await look(page, `${link.replace(/[^a-z]/g, '')}-${form}`);
      }
      await page.evaluate(() => (location.hash = '#/'));
      if (width < 1100) await page.getByRole('button', { name: /^(Menu|菜单)$/ }).click();
      await page.getByRole('treeitem', { name: 'Everything' }).click();
      await log.getByText('好的。').waitFor();
      await look(page, `chat-${form}`);
      await page.getByRole('button', { name: /^(Settings|设置)$/ }).first().click();
      await look(page, `panel-${form}`);
      await done();
    });
  }

test('text spaced out and twice as large loses nothing', async () => {
  const { page, box, done } = await openPage(url, { width: 640, height: 640 });
  await box.waitFor();
  await importChat(page);
  await page.evaluate(() => (location.hash = '#/'));
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  // A sheet of the page's own origin: the policy allows no style in the page's text.
  await page.evaluate(() => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } html { font-size: 200% }');
    document.adoptedStyleSheets = [sheet];
  });
  await becomes(() => overflow(), 0);
  await done();
});

test('the system’s theme is followed at once, and a chosen one is kept', async () => {
  const { page, box, done } = await openPage(url);
  await box.waitFor();
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await becomes(() => background(), 'rgb(251, 250, 247)');
  await page.emulateMedia({ colorScheme: 'dark' });
  await becomes(() => background(), 'rgb(21, 22, 26)');
  await page.evaluate(() => (location.hash = '#/settings'));
  await page.getByRole('combobox', { name: 'Theme' }).selectOption('light');
  await becomes(() => background(), 'rgb(251, 250, 247)');
  await page.reload();
  await page.getByRole('combobox', { name: 'Theme' }).waitFor();
  await becomes(() => background(), 'rgb(251, 250, 247)');
  await done();
});
