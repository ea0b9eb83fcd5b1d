import MarkdownIt, { type Env, type Token } from 'markdown-it';
import cjkFriendly from 'markdown-it-cjk-friendly';
import { allowed } from './links';
import { deepRule } from './rules/deep';
import { mathsRules } from './rules/maths';
import { tableRule } from './rules/table';

// The one file that knows the parser. HTML in an answer is text; a line's end is a line's end, as
// RWKV models write it.
const md = new MarkdownIt({ html: false, linkify: true, breaks: true });
md.use(cjkFriendly);
// Words with a dot in them ("readme.md") are no addresses.
md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
md.validateLink = allowed;
md.use(mathsRules);
md.use(tableRule);
md.use(deepRule);

export type References = NonNullable<Env['references']>;
export type { Token };

export function parseBlocks(source: string, references: References): Token[] {
  const tokens: Token[] = [];
  md.block.parse(source, md, { references }, tokens);
  return tokens;
}

export function parseInline(source: string, references: References): Token[] {
  return md.parseInline(source, { references })[0]?.children ?? [];
}
