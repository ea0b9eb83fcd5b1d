import type { createLowlight } from 'lowlight';
import { revealed } from './controls';
import { element, type TextNode } from './nodes';

// Colours for code, as a tree: the highlighter writes no HTML. Loaded with the first block of code
// that says its language; nothing is guessed.
type Lowlight = ReturnType<typeof createLowlight>;
type Tree = ReturnType<Lowlight['highlight']>['children'][number];

let common: Promise<Lowlight> | undefined;
let more: Promise<void> | undefined;

// Above this a block has no colours: 84 KB of JavaScript are 120 ms of work (AMD EPYC) and 10,000
// elements.
const LONGEST_COLOURED = 50_000;

export async function highlight(language: string, text: string): Promise<TextNode[] | undefined> {
  const wanted = language.toLowerCase();
  if (wanted === '' || text.length > LONGEST_COLOURED) return undefined;
  common ??= import('./languages').then(({ lowlight }) => lowlight);
  const lowlight = await common;
  if (!lowlight.registered(wanted)) {
    more ??= import('./more-languages').then(({ registerMore }) => registerMore(lowlight));
    await more;
    if (!lowlight.registered(wanted)) return undefined;
  }
  return lowlight.highlight(wanted, text).children.flatMap(nodesOf);
}

function nodesOf(tree: Tree): TextNode[] {
  if (tree.type === 'text') return revealed(tree.value);
  if (tree.type !== 'element') return [];
  const names = tree.properties.className;
  const kids = tree.children.flatMap(nodesOf);
  return [element('span', kids, { class: Array.isArray(names) ? names.join(' ') : '' })];
}
