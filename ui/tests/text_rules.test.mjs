// What Markdown becomes, formulas and prices, tables and their bounds, links, what is not to be seen.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './load.mjs';

const { TextStream } = await load('text/stream.ts');
const { languageOfText } = await load('text/script.ts');

function parsed(text) {
  const stream = new TextStream();
  stream.append(text);
  stream.finish();
  return stream.whole().blocks;
}

// A short form to compare: p(words strong(x)).
function form(node) {
  if (typeof node === 'string') return node;
  if (node.kind === 'element') return `${node.tag}(${node.kids.map(form).join('')})`;
  if (node.kind === 'formula') return `${node.display ? 'F' : 'f'}{${node.tex}}`;
  if (node.kind === 'code') return `code[${node.language}]{${node.text}}`;
  if (node.kind === 'image') return `image{${node.alt}|${node.address}}`;
  return `rest{${node.table.rows}/${node.table.lines.length}x${node.table.columns}/${node.table.allColumns}}`;
}
const forms = (text) => parsed(text).map(form).join(' ');

function* walk(nodes) {
  for (const node of nodes) {
    yield node;
    if (typeof node !== 'string' && node.kind === 'element') yield* walk(node.kids);
  }
}

test('dollars_are_formulas_only_where_no_price_could_be_meant', () => {
  const cases = {
    '$5 and $10': 'p($5 and $10)',
    '**$4**': 'p(strong($4))',
    '价格 $100': 'p(价格 $100)',
    'from $5 to $x$': 'p(from $5 to f{x})',
    '\\$x\\$': 'p($x$)',
    'US$5 and US$ 3': 'p(US$5 and US$ 3)',
    '$ x$ and $x $': 'p($ x$ and $x $)',
    '$x$2': 'p($x$2)',
    '$1,000$': 'p($1,000$)',
    '设$x^2$为': 'p(设f{x^2}为)',
    '$a$, $b$': 'p(f{a}, f{b})',
    '`$x$` and $y$': 'p(code($x$) and f{y})',
    '$a `b$ c`': 'p($a code(b$ c))',
    'so $$x+1$$ holds': 'p(so F{x+1} holds)',
    '\\(a+b\\) and \\[c\\] here': 'p(f{a+b} and F{c} here)',
    '$x': 'p($x)',
    '\\(x': 'p((x)',
    '$$': 'p($$)',
  };
  for (const [text, wanted] of Object.entries(cases)) assert.equal(forms(text), wanted, text);
});

test('formulas_of_several_lines_stand_by_themselves', () => {
  assert.equal(forms('so\n$$\na\n= b\n- c\n$$\nthen'), 'p(so) F{\na\n= b\n- c\n} p(then)');
  assert.equal(forms('\\[\nx\n\\]'), 'F{\nx\n}');
  assert.equal(forms('1. one\n\n   $$\n   x\n   $$\n2. two'), 'ol(li(p(one)F{\nx\n})li(p(two)))');
  assert.equal(forms('$$\nnever\n\nclosed'), 'p($$br()never) p(closed)');
  assert.equal(forms('```\n$$\nx\n$$\n```'), 'code[]{$$\nx\n$$}');
  assert.equal(forms('$$' + 'x'.repeat(5000) + '$$').startsWith('p('), true, 'longer than a formula may be');
});

test('emphasis_next_to_chinese_punctuation_is_emphasis', () => {
  assert.equal(forms('**注意：**后文'), 'p(strong(注意：)后文)');
  assert.equal(forms('前文**「注意」**后文'), 'p(前文strong(「注意」)后文)');
  assert.equal(forms('**重要。**下一句'), 'p(strong(重要。)下一句)');
});

test('html_is_text_and_only_named_elements_appear', () => {
  const hostile =
    '<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>\n\n<svg onload=alert(1)>\n\n<iframe src="javascript:1">\n\n' +
    '<!-- c --> <?php ?> <![CDATA[x]]> <a href="javascript:1">x</a> &lt;b&gt;';
  for (const node of walk(parsed(hostile))) if (typeof node !== 'string') assert.equal(node.tag, 'p');
  assert.match(forms(hostile), /<script>alert\(1\)<\/script>/);
});

test('links_lead_only_to_the_web_and_say_where', () => {
  const refused = [
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'java&#x73;cript:alert(1)', 'java\\\nscript:alert(1)', '&#106;avascript:alert(1)',
    'vbscript:x', 'data:text/html,x', 'data:image/svg+xml,x', 'file:///etc/passwd', '//a.example/x', '/v1/states', '#/settings',
    'blob:http://a/x', 'about:blank', 'view-source:http://a', '\u0001javascript:alert(1)', 'javascript&colon;alert(1)',
    'intent://x', 'ws://a.example',
  ];
  for (const address of refused) {
    for (const text of [`[x](${address})`, `[x](<${address}>)`, `<${address}>`, `[x][r]\n\n[r]: ${address}`]) {
      for (const node of walk(parsed(text)))
        if (node.tag === 'a') assert.match(node.attrs.href, /^http:\/\/a\//, text); // the address inside of it
    }
  }
  const link = (text) => [...walk(parsed(text))].find((node) => node.tag === 'a');
  assert.deepEqual(link('[x](http://a.example/b)').attrs, {
    href: 'http://a.example/b', rel: 'noopener noreferrer nofollow', target: '_blank',
  });
  assert.equal(forms('[docs](http://a.example/b)'), 'p(a(docsspan(a.example)))');
  assert.equal(forms('http://a.example/b'), 'p(a(http://a.example/b))');
  assert.equal(forms('[a.example](http://a.example/b)'), 'p(a(a.example))');
  assert.equal(forms('[https://bank.example](https://bank.example@evil.example)'), 'p(a(https://bank.examplespan(evil.example)))');
  assert.equal(forms('[https://bank.example](https://bank.example.evil.example)'), 'p(a(https://bank.examplespan(bank.example.evil.example)))');
  assert.match(forms('https://аpple.com'), /span\(xn--pple-43d\.com\)/, 'a homograph shows what it is');
  assert.match(forms('[a\u200bb\u202ec](http://a.example)'), /a\(aspan\(U\+200B\)bspan\(U\+202E\)c/);
  assert.equal(link('<me@a.example>').attrs.href, 'mailto:me@a.example');
});

test('images_are_their_address', () => {
  assert.equal(forms('![a *b*](http://a.example/x.png?q=secret)'), 'p(image{a *b*|http://a.example/x.png?q=secret})');
  assert.equal(forms('[![a](http://a.example/x.png)](http://b.example)'), 'p(a(image{a|http://a.example/x.png}span(b.example)))');
});

test('what_turns_text_around_is_seen_in_code', () => {
  assert.equal(forms('`a\u202eb`'), 'p(code(aspan(U+202E)b))');
  assert.equal(forms('a\u200bb\u202ec'), 'p(a\u200bb\u202ec)', 'prose keeps it, and each block stands for itself');
});

test('tables_are_cut_at_what_can_be_drawn', () => {
  assert.equal(forms('| a | b |\n|:--|--:|\n| 1 \\| 2 | 3 |\nword\n\nend'),
    'div(table(thead(tr(th(a)th(b)))tbody(tr(td(1 | 2)td(3))tr(td(word)td())))) p(end)');
  assert.equal(forms('a | b\n--- | ---\n1 | 2 | 3'), 'div(table(thead(tr(th(a)th(b)))tbody(tr(td(1)td(2)))))');
  assert.equal(forms('| a | b |\n|---|\n'), 'p(| a | b |br()|---|)', 'a row of other length is no head');
  assert.equal(forms('| `a|b` |\n|---|'), 'p(| code(a|b) |br()|---|)');
  const row = `|${' x |'.repeat(200)}\n`;
  const begun = performance.now();
  const huge = parsed(row + `|${'---|'.repeat(200)}\n` + row.repeat(2000));
  assert.ok(performance.now() - begun < 2000);
  const rest = [...walk(huge)].find((node) => node.kind === 'rest');
  assert.equal(form(rest), 'rest{156/2000x64/200}');
  assert.ok([...walk(huge)].length < 30_000);
});

test('depth_has_a_bound_and_nothing_is_lost_below_it', () => {
  for (const text of ['> '.repeat(200) + 'deep', '- '.repeat(200) + 'deep', '*a '.repeat(3000) + 'deep' + ' b*'.repeat(3000), '['.repeat(3000) + 'deep']) {
    const depth = (node) => (typeof node === 'string' || !node.kids ? 1 : 1 + Math.max(0, ...node.kids.map(depth)));
    const nodes = parsed(text);
    assert.ok(Math.max(...nodes.map(depth)) <= 70, text.slice(0, 20));
    assert.match(forms(text), /deep/);
  }
});

test('fences_keep_what_is_in_them', () => {
  assert.equal(forms('````md\n```js\nx\n```\n````\nend'), 'code[md]{```js\nx\n```} p(end)');
  assert.equal(forms('```<script>alert(1)</script>\nx'), 'code[<script>alert(1)</script>]{x}');
  assert.equal(forms('```c++ title="x"\n```'), 'code[c++]{}');
  assert.equal(forms('  ```\n    a\n  b\n c\n  ```'), 'code[]{  a\nb\nc}');
});

test('pieces_of_a_character_wait_for_the_rest', () => {
  const stream = new TextStream();
  const [high, low] = ['😀'[0], '😀'[1]];
  assert.equal(stream.append(`a ${high}`).blocks.map(form).join(), 'p(a)');
  assert.equal(stream.append(low + '.').blocks.map(form).join(), 'p(a 😀.)');
});

test('the_language_of_a_text_is_told_by_its_script', () => {
  const cases = {
    'Hello, this is a test': 'en', '这是一个测试，看看结果如何': 'zh-CN', 'これはテストです': 'ja', '이것은 시험입니다': 'ko',
    'هذا اختبار بسيط': 'ar', 'Это просто проверка': 'ru', '12345': '',
    '用 Python 写一个函数：\n```python\ndef something_long_in_english(): pass\n```': 'zh-CN',
  };
  for (const [text, tag] of Object.entries(cases)) assert.equal(languageOfText(text), tag, text);
});
