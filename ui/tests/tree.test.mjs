import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load, randomFrom } from './load.mjs';

const tree = await load('data/tree.ts');

let seq = 0;
const node = (id, parent, more = {}) => ({
  id, conv: 'c', parent, seq: ++seq, role: 'user', content: id, reasoning: '', status: 'done', created: 0, ...more,
});
const ids = (list) => list.map((one) => one.id).join(' ');

test('a path leads from the root to the leaf', () => {
  const made = tree.makeTree([node('a', null), node('b', 'a'), node('c', 'b'), node('d', 'a')]);
  assert.equal(ids(tree.pathTo(made, 'c')), 'a b c');
  assert.equal(ids(tree.pathTo(made, 'd')), 'a d');
});

test('a leaf that is gone gives the newest one', () => {
  const made = tree.makeTree([node('a', null), node('b', 'a'), node('c', 'a')]);
  assert.equal(ids(tree.pathTo(made, 'gone')), 'a c');
  assert.equal(ids(tree.pathTo(made, null)), 'a c');
  assert.deepEqual(tree.pathTo(tree.makeTree([]), 'gone'), []);
});

test('an orphan and a cycle can be read', () => {
  const made = tree.makeTree([node('a', 'missing'), node('b', 'a'), node('x', 'z'), node('y', 'x'), node('z', 'y'), node('s', 's')]);
  assert.equal(ids(tree.pathTo(made, 'b')), 'a b');
  assert.equal(ids(tree.pathTo(made, 'z')), 'x y z');
  assert.equal(ids(tree.pathTo(made, 's')), 's');
});

test('siblings stand in the order in which they were made, whatever the clocks said', () => {
  const made = tree.makeTree([
    node('q', null, { created: 9 }), node('second', 'q', { seq: 1002, created: 1 }), node('first', 'q', { seq: 1001, created: 5 }),
    node('third', 'q', { seq: 1003, created: 1 }),
  ]);
  assert.equal(ids(tree.siblingsOf(made, made.nodes.get('first'))), 'first second third');
});

test('a version is opened where it was left', () => {
  const made = tree.makeTree([node('q', null), node('a1', 'q'), node('x', 'a1'), node('y', 'a1'), node('a2', 'q')]);
  assert.equal(tree.leafBelow(made, 'a1', {}), 'y');
  assert.equal(tree.leafBelow(made, 'a1', { a1: 'x' }), 'x');
  assert.equal(tree.leafBelow(made, 'a1', { a1: 'a2' }), 'y');
  assert.equal(tree.leafBelow(made, 'a1', { a1: 'gone' }), 'y');
});

test('deleting the first, the last, and the only version leads to what is beside or before it', () => {
  const made = tree.makeTree([node('q', null), node('a1', 'q'), node('a2', 'q'), node('a3', 'q'), node('t', 'a2')]);
  assert.equal(tree.leafWithout(made, 'a1', {}), 't');
  assert.equal(tree.leafWithout(made, 'a3', {}), 't');
  assert.equal(tree.leafWithout(made, 'a2', {}), 'a3');
  assert.equal(tree.leafWithout(made, 't', {}), 'a2');
  assert.equal(tree.leafWithout(made, 'q', {}), null);
});

test('last leaves name only what is there', () => {
  const made = tree.makeTree([node('q', null), node('a1', 'q'), node('a2', 'q')]);
  assert.deepEqual(tree.withLastLeaf(made, { gone: 'a1', q: 'gone' }, 'a2'), { q: 'a2', a2: 'a2' });
});

test('every function ends and every node can be reached, for any parents', () => {
  const random = randomFrom(7);
  for (let round = 0; round < 300; round += 1) {
    const count = 1 + Math.floor(random() * 12);
    const names = Array.from({ length: count }, (_, at) => `n${at}`);
    const any = () => names[Math.floor(random() * count)];
    const list = names.map((name) => node(name, random() < 0.2 ? null : random() < 0.1 ? 'nowhere' : any(), { seq: Math.floor(random() * 4) }));
    const made = tree.makeTree(list);
    const reached = new Set();
    for (const one of list) {
      const path = tree.pathTo(made, one.id);
      assert.equal(path.at(-1).id, one.id);
      assert.equal(new Set(path).size, path.length);
      assert.ok(tree.siblingsOf(made, one).includes(one));
      assert.ok(tree.isBelow(made, tree.leafBelow(made, one.id, { [one.id]: any(), [any()]: any() }), one.id));
      assert.ok(tree.subtreeOf(made, one.id).length <= count);
      const rest = tree.leafWithout(made, one.id, {});
      assert.ok(rest === null || !tree.isBelow(made, rest, one.id));
    }
    for (const root of tree.childrenOf(made, null)) for (const below of tree.subtreeOf(made, root.id)) reached.add(below.id);
    assert.equal(reached.size, count);
  }
});
