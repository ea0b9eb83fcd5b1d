// Answers that no friend would write, and answers of a size that no reader would read, in Chromium and
// under the server's policy: nothing runs, nothing is asked for outside, and the page stays usable.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { textPage, textServer } from './text_page.mjs';
import { browser, closeAll } from './world.mjs';

let server;
before(async () => {
  server = await textServer();
});
after(async () => {
  await closeAll();
  server.close();
});

// Opens a page, does something with it, and holds it to what every answer must leave true.
async function tried(work, settings) {
  const { page, complaints, requests } = await textPage(browser, server, settings);
  try {
    await work(page);
    await page.waitForTimeout(50);
    assert.deepEqual(complaints, []);
    assert.deepEqual(requests.filter((address) => !address.startsWith(server.address) && !address.startsWith('data:,')), []);
    assert.equal(await page.evaluate(() => window.done), undefined, 'something of the answer ran');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `the page scrolls sideways by ${wide} px`);
  } finally {
    await page.close();
  }
}

const stream = (page, text, perFrame) =>
  page.evaluate(async ([text, perFrame]) => {
    window.watchFrames();
    await window.streamed(text, perFrame);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return window.longest;
  }, [text, perFrame]);

const PAYLOADS = [
  '<script>done = 1</script>', '<img src=x onerror="done = 1">', '<img src="http://outside.example/x.png">',
  '<svg onload="done = 1"><script>done = 1</script></svg>', '<iframe src="javascript:parent.done = 1"></iframe>',
  '<iframe srcdoc="<script>parent.done = 1</script>"></iframe>', '<a href="javascript:done = 1">x</a>', '<style>* { display: none }</style>',
  '<link rel=stylesheet href="http://outside.example/x.css">', '<meta http-equiv=refresh content="0;url=http://outside.example">',
  '<base href="http://outside.example/">', '<form action="http://outside.example"><button>x</button></form>', '<object data="x"></object>',
  '<math><maction actiontype="statusline#http://outside.example">x</maction></math>', '<details open ontoggle="done = 1">',
  '[x](javascript:done=1)', '[x](JAVASCRIPT:done=1)', '[x](java&#x0A;script:done=1)', '[x](&#106;avascript:done=1)', '[x](<java\tscript:done=1>)',
  '[x](data:text/html,<script>opener.done=1</script>)', '[x](vbscript:done)', '<javascript:done=1>', '[x][j]\n\n[j]: javascript:done=1',
  '![x](http://outside.example/x.png)', '![x](javascript:done=1)', '![x](data:image/svg+xml,<svg onload=done=1>)', '![x][i]\n\n[i]: //outside.example/x.png',
  '$\\href{javascript:done=1}{x}$', '$\\includegraphics{http://outside.example/x.png}$', '$\\htmlClass{x}{y} \\htmlData{a=b}{c} \\url{javascript:done=1}$',
  '$\\rule{5000em}{5000em}$', '$\\def\\a{\\a\\a}\\a$', '$$\\begin{array}{c}' + 'x\\\\ '.repeat(300) + '\\end{array}$$', '$\\kern100000em x$', '$\\style{background:url(http://outside.example/x)}{x}$',
  '```<img src=x onerror=done=1>\n<script>done=1</script>\n```', '```html\n<script src="http://outside.example/x.js"></script>\n<img src=x onerror=done=1>\n```',
  '```__proto__\nx\n```', '```constructor\nx\n```', '```css\nbody { background: url(http://outside.example/x.png) }\n```',
  '| <img src=x onerror=done=1> | [x](javascript:done=1) |\n|---|---|\n| ![x](http://outside.example/y.png) | <script>done=1</script> |',
  '# <script>done=1</script>', '> <img src=x onerror=done=1>', '- <svg/onload=done=1>', '\u202eevil\u202c `\u202e} // \u2066x\u2069`', '[\u202emoc.elpmaxe](http://outside.example)',
  'https://аррӏе.com/', '[http://bank.example](http://outside.example)', '[__proto__]: http://a.example\n\n[__proto__]', '\u0000\ufeff\u200b\u200d', '&#0; &#x110000; &nosuch;',
  'Z' + '\u0301'.repeat(3000), '[x](http://a.example "onmouseover=done=1")', '[x](http://a.example/"onmouseover="done=1)', '1234567890123. x', '999999999. x',
];

test('nothing_of_a_hostile_answer_runs_or_asks', async () => {
  await tried(async (page) => {
    for (const text of [PAYLOADS.join('\n\n'), ...PAYLOADS]) {
      await page.evaluate(() => window.begin());
      await stream(page, text, text.length < 400 ? 400 : 97);
      const found = await page.evaluate(() => {
        const host = document.getElementById('host');
        const bad = host.querySelectorAll('script, img, svg:not(.katex svg), iframe, object, embed, style, link, meta, base, form, input, details, video, audio, source');
        const handlers = [...host.querySelectorAll('*')].flatMap((one) => [...one.attributes].filter(({ name }) => /^on|^src|^srcdoc|^action|^formaction/.test(name)));
        const links = [...host.querySelectorAll('[href]')].map((one) => [one.protocol, one.rel, one.target]);
        const large = [...host.querySelectorAll('*')].filter((one) => one.getBoundingClientRect().height > 12_000).length;
        return { bad: [...bad].map((one) => one.outerHTML), handlers: handlers.length, links, large };
      });
      assert.deepEqual(found.bad, [], text.slice(0, 80));
      assert.equal(found.handlers, 0);
      assert.equal(found.large, 0, `something is as high as it likes: ${text.slice(0, 80)}`);
      for (const [protocol, rel, target] of found.links) {
        assert.match(protocol, /^(https?|mailto):$/);
        assert.deepEqual([rel, target], ['noopener noreferrer nofollow', '_blank']);
      }
    }
  });
});

test('the_page_shows_the_same_however_the_text_came', async () => {
  await tried(async (page) => {
    const text = PAYLOADS.join('\n\n') + '\n\n1. a\n   ```js\n   let x = 1\n   ```\n2. b\n\n| a |\n|---|\n| 1 |\n\n$x^2$ and \\[y\\]';
    const drawn = async (perFrame) => {
      await page.evaluate(() => window.begin());
      await page.evaluate(([text, perFrame]) => window.streamed(text, perFrame), [text, perFrame]);
      await page.waitForFunction(() => document.querySelectorAll('.tx-formula:not(.tx-drawn, .tx-faulty)').length === 0);
      await page.waitForFunction(() => document.querySelectorAll('.tx-code .hljs-keyword').length > 0);
      await page.waitForTimeout(300);
      return page.evaluate(() => {
        const host = document.getElementById('host').cloneNode(true);
        host.normalize();
        for (const one of host.querySelectorAll('*')) for (const name of ['tabindex', 'role', 'aria-label']) one.removeAttribute(name);
        return host.outerHTML;
      });
    };
    const whole = await drawn(1e9);
    assert.equal(await drawn(131), whole);
    assert.equal(await drawn(1009), whole);
  });
});

// What one frame of these may take: the machine that runs tests may have other work, so this bound is a
// hundred times what a reader would forgive, and the measured time is printed.
const USABLE_MS = 3000;

async function told(name, page, text, perFrame) {
  const longest = await stream(page, text, perFrame);
  const elements = await page.evaluate(() => document.querySelectorAll('#host *').length);
  console.log(`# ${name}: ${text.length} characters, longest frame ${longest.toFixed(0)} ms, ${elements} elements`);
  assert.ok(longest < USABLE_MS, `${name}: a frame of ${longest} ms`);
  assert.ok(elements < 30_000, `${name}: ${elements} elements`);
}

test('a_million_characters_without_a_space_leave_the_page_usable', async () => {
  await tried(async (page) => {
    await told('one word', page, 'a'.repeat(1_000_000), 8000);
    await page.evaluate(() => window.begin());
    await told('one word of code', page, '```js\n' + 'a'.repeat(1_000_000) + '\n```', 8000);
    await page.evaluate(() => window.begin());
    await told('one Chinese sentence', page, '字'.repeat(300_000), 4000);
  });
});

test('a_huge_table_leaves_the_page_usable_and_can_be_seen_whole', async () => {
  await tried(async (page) => {
    const row = `|${' cell |'.repeat(200)}\n`;
    const table = row + `|${'---|'.repeat(200)}\n` + row.repeat(400);
    await told('a table', page, table, 8000);
    await page.getByText('156 of 400 rows').waitFor();
    assert.equal(await page.locator('tbody tr').count(), 156);
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 400);
    assert.equal(await page.locator('tbody tr').first().locator('td').count(), 200);
    assert.equal(await page.getByRole('button', { name: 'Show all' }).count(), 0);
  });
});

const PROSE =
  'The model reads **each token** once and keeps a state; see `step` and [the paper](https://example.com/p).\n\n' +
  '- one thing\n- another, with $x_t$ in it\n\n## A head\n\nMore words that say little, in several sentences. They go on and on.\n\n' +
  '```python\ndef step(x, s):\n    return s @ x  # never grows\n```\n\n';

test('an_answer_of_a_hundred_thousand_tokens_is_shown_while_it_comes', async () => {
  await tried(async (page) => {
    const text = PROSE.repeat(Math.ceil(390_000 / PROSE.length)).slice(0, 390_000);
    await told('a long answer', page, text, 1000);
    await page.evaluate(() => window.begin());
    const opened = await page.evaluate(async (text) => {
      window.watchFrames();
      window.view.replace(text);
      window.view.finish();
      while (document.getElementById('host').textContent.length < 300_000) await new Promise((resolve) => setTimeout(resolve, 20));
      return window.longest;
    }, text);
    console.log(`# the same, opened again: longest frame ${opened.toFixed(0)} ms`);
  });
});

test('fast_text_of_every_kind_keeps_its_frames', async () => {
  await tried(async (page) => {
    const items = Array.from({ length: 2000 }, (_, at) => `${at + 1}. item **${at}** with \`code\` and a [link](https://example.com/${at})\n`).join('');
    await told('one long list', page, items, 300);
    await page.evaluate(() => window.begin());
    await told('one long block of code', page, '```js\n' + 'const value = compute("text", 42); // why\n'.repeat(2000) + '```\n', 300);
    await page.evaluate(() => window.begin());
    await told('many formulas', page, 'So $\\frac{a}{b} + \\sqrt{x_1^2}$ and \\[ \\int_0^1 f(x)\\,dx \\]\n\n'.repeat(300), 300);
  });
});

test('typing_is_answered_while_an_answer_comes', async () => {
  await tried(async (page) => {
    await page.evaluate(() => {
      const box = document.createElement('textarea');
      box.id = 'box';
      document.querySelector('main').prepend(box);
      window.waits = [];
      box.addEventListener('keydown', (event) => window.waits.push(performance.now() - event.timeStamp));
    });
    await page.locator('#box').focus();
    const streaming = page.evaluate((text) => window.streamed(text, 300), PROSE.repeat(150));
    for (const letter of 'hello there, this is typed') await page.keyboard.type(letter, { delay: 20 });
    await streaming;
    assert.equal(await page.locator('#box').inputValue(), 'hello there, this is typed');
    const waits = await page.evaluate(() => window.waits);
    console.log(`# a key waits ${Math.max(...waits).toFixed(0)} ms at most`);
  });
});
