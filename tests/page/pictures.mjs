// Makes the pictures of docs/page.md: SKEIN_SOURCE=. SKEIN_PROGRAM=build/skein SKEIN_PICTURES=docs/images
// node pictures.mjs, in the folder of the packages (build/tests/page). No test.
import { join } from 'node:path';
import { closeAll, openPage, startSkein } from './world.mjs';

const { url } = await startSkein();
const pictures = process.env.SKEIN_PICTURES ?? '.';

const told = {
  en: [
    'Explain recursion with a small example',
    '**Recursion** is a function that calls itself on a smaller part of the problem, until that part is small enough to answer at once.\n\n```python\ndef factorial(n):\n    if n < 2:          # small enough\n        return 1\n    return n * factorial(n - 1)\n```\n\nFor \\(n = 3\\) it computes \\(3 \\cdot 2 \\cdot 1 = 6\\). In general\n\n$$n! = \\prod_{k=1}^{n} k$$',
    'And how deep may it go?',
    '| language | limit | what happens |\n|---|---|---|\n| Python | 1,000 calls | `RecursionError` |\n| C++ | the stack, often 8 MiB | a crash |\n| Scheme | none in tail position | a loop |',
  ],
  zh: [
    '用一个小例子解释递归',
    '**递归**就是函数在更小的问题上调用自己，直到问题小到可以直接回答。\n\n```python\ndef factorial(n):\n    if n < 2:          # 足够小\n        return 1\n    return n * factorial(n - 1)\n```\n\n当 \\(n = 3\\) 时得到 \\(3 \\cdot 2 \\cdot 1 = 6\\)。',
    '最多能有多深？',
    '| 语言 | 上限 | 结果 |\n|---|---|---|\n| Python | 1,000 层 | `RecursionError` |\n| C++ | 栈，常为 8 MiB | 崩溃 |',
  ],
};

async function talk(locale, dark, width, height) {
  const opened = await openPage(url, { width, height, dark, locale: locale === 'zh' ? 'zh-CN' : 'en-US' });
  const { page, box, send, answered, log } = opened;
  await box.waitFor();
  // Questions that the bundled model answers, for states that can be looked at.
  await send('Reverse: garden');
  await answered('nedrag');
  await send('What is 27+46?');
  await answered('73');
  const real = new URL(page.url()).hash;
  const messages = told[locale].map((content, at) => ({ role: at % 2 ? 'assistant' : 'user', content }));
  await page.evaluate(() => (location.hash = '#/settings'));
  const chosen = page.waitForEvent('filechooser');
  await page.getByRole('button', { name: /Import chats|导入对话/ }).click();
  await (await chosen).setFiles({ name: 'a.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify({ messages })) });
  await page.locator('.toast').getByRole('button', { name: /Close|关闭/ }).click();
  if (width < 1100) await page.getByRole('button', { name: /^(Menu|菜单)$/ }).click();
  await page.getByRole('treeitem', { name: told[locale][0] }).click();
  await log.getByText('Python').last().waitFor();
  return { ...opened, real };
}

const save = async (page, name) => {
  await page.waitForTimeout(600);
  await page.screenshot({ path: join(pictures, `page-${name}.png`) });
};

for (const dark of [false, true]) {
  const theme = dark ? 'dark' : 'light';
  const { page, real, context } = await talk('en', dark, 1120, 720);
  await save(page, `chat-${theme}`);
  await page.evaluate((hash) => (location.hash = hash), real);
  const links = await page.getByRole('navigation', { name: 'Views' }).getByRole('link').evaluateAll((all) => all.map((one) => one.getAttribute('href')));
  for (const link of links) {
    await page.evaluate((href) => (location.hash = href), link);
    await page.waitForFunction(() => !/^Loading/.test(document.querySelector('.view')?.textContent ?? 'Loading'));
    await save(page, `${link.replace(/[^a-z]/g, '')}-${theme}`);
  }
  await context.close();
  const phone = await talk('zh', dark, 390, 720);
  await save(phone.page, `phone-${theme}`);
  await phone.context.close();
}
await closeAll();
