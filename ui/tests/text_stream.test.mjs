// Text that comes in pieces must end as what all of it gives at once, and must be it all along:
// whatever is parsed anew at an end of a line equals a parse of everything before.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, randomFrom } from './load.mjs';

const { TextStream } = await load('text/stream.ts');

// Whole numbers below a bound, the same each time.
function numbers(seed) {
  const random = randomFrom(seed);
  return (below) => Math.floor(random() * below);
}

// Pieces that mean something together, beside each other, and cut short.
const PIECES = [
  '# Head', '## Two #', 'Words here', '**bold**', '**注意：**后文', '*a', '**', '_', '`code`', '``', '```', '```js', '````', '~~~',
  '- item', '- [ ] do', '* star', '+ plus', '1. one', '2) two', '10. ten', '> quote', '>', '    four', '\tTab', '   ', ' ',
  '| a | b |', '|---|:-:|', '| 1 | 2 \\| 3 |', '---', '***', '===', '--', '-', '=', '$$', '$$ \\frac{1}{2}', '\\[', '\\]', '\\(x\\)', '$x$',
  '$5 and $10', '[link](http://a.example)', '[ref]', '[ref]: http://b.example', '[^1]', '![i](http://c.example/x.png)', '<b>', 'http://d.example/x',
  '\\', '&amp;', '😀', 'مرحبا', '\u202e', 'a|b', '|', '`$x$`', '  - deep', '      - deeper', '  text', '    > in',
];
const ENDS = ['\n', '\n', '\n', '\n\n', '\n\n', '', ' ', '\r\n', '\n\n\n'];

function document(random, length, pieces = PIECES) {
  let text = '';
  for (let at = 0; at < length; ++at) text += pieces[random(pieces.length)] + ENDS[random(ENDS.length)];
  return text;
}

function whole(text) {
  const stream = new TextStream();
  return shown([stream.append(text), stream.finish(), stream.whole()]);
}

function shown(changes) {
  let blocks = [];
  for (const change of changes) {
    assert.ok(change.kept <= blocks.length, 'keeps what is not there');
    blocks = [...blocks.slice(0, change.kept), ...change.blocks];
  }
  return blocks;
}

function cut(random, text, longest) {
  const pieces = [];
  for (let at = 0; at < text.length; ) {
    const size = 1 + random(longest);
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}

test('text_in_random_pieces_is_the_text_as_a_whole', () => {
  const random = numbers(1);
  for (let round = 0; round < 400; ++round) {
    const text = document(random, 1 + random(30));
    const stream = new TextStream();
    const changes = cut(random, text, 1 + random(20)).map((piece) => stream.append(piece));
    changes.push(stream.finish());
    if (stream.needsWhole()) changes.push(stream.whole());
    assert.deepEqual(shown(changes), whole(text), JSON.stringify(text));
  }
});

test('without_definitions_nothing_has_to_be_parsed_again_at_the_end', () => {
  const random = numbers(2);
  const pieces = PIECES.filter((piece) => !piece.includes(']:'));
  for (let round = 0; round < 400; ++round) {
    const text = document(random, 1 + random(40), pieces);
    const stream = new TextStream();
    const changes = cut(random, text, 1 + random(12)).map((piece) => stream.append(piece));
    changes.push(stream.finish());
    assert.equal(stream.needsWhole(), false);
    assert.deepEqual(shown(changes), whole(text), JSON.stringify(text));
  }
});

test('what_is_shown_on_the_way_does_not_depend_on_how_the_text_was_cut', () => {
  const random = numbers(3);
  for (let round = 0; round < 150; ++round) {
    const text = document(random, 1 + random(25));
    const one = new TextStream();
    const changes = cut(random, text, 6).map((piece) => one.append(piece));
    const other = new TextStream();
    const coarse = cut(random, text, 40).map((piece) => other.append(piece));
    assert.deepEqual(shown(changes), shown(coarse), JSON.stringify(text));
  }
});
