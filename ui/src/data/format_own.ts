// Skein's own form, which holds all of a chat, and Markdown, which people read.
import type { Bundle } from './bundle';
import type { Conversation, Node } from './types';

export const kFormat = 'skein-chat';
export const kFormatVersion = 1;

export function asJson(bundles: readonly Bundle[]): string {
  const conversations = bundles.map(({ conversation, nodes, blobs }) => ({
    ...conversation,
    nodes: [...nodes].sort((a, b) => a.seq - b.seq),
    blobs,
  }));
  return `${JSON.stringify({ format: kFormat, version: kFormatVersion, conversations }, null, 1)}\n`;
}

export interface MarkdownWords {
  you: string;
  answer: string;
  turnSystem: string;
  thinking: string;
}

export function asMarkdown(conversation: Conversation, path: readonly Node[], words: MarkdownWords, thoughts = false): string {
  const names = { user: words.you, assistant: words.answer, system: words.turnSystem };
  const parts = [`# ${conversation.title.replace(/\s+/g, ' ')}`];
  for (const node of path) {
    parts.push(`## ${names[node.role]}`);
    if (thoughts && node.reasoning) parts.push(node.reasoning.replace(/^/gm, '> '));
    for (const { name } of node.attachments ?? []) parts.push(`*${name.replace(/([\\*_`[\]])/g, '\\$1')}*`);
    parts.push(node.content);
  }
  return `${parts.join('\n\n')}\n`;
}
