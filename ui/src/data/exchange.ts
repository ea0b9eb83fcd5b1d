// Chats as files: out of this browser and into it.
import { download, chooseFiles, fileName, readText } from '../app/file';
import { showToast } from '../app/toasts';
import { t } from '../i18n';
import { kept, shown, store } from './library';
import { asJson, asMarkdown } from './format_own';
import { ImportTrouble, readChats } from './formats';
import type { Bundle } from './bundle';
import type { Conversation, Node } from './types';
import { tellChanged } from './tabs';

async function bundleOf(conversation: Conversation): Promise<Bundle> {
  const nodes = await store().nodes(conversation.id);
  const names = new Set(nodes.flatMap((node) => node.attachments?.map((one) => one.blob) ?? []));
  for (const mount of conversation.mounts) if (mount.blob) names.add(mount.blob);
  const blobs = await Promise.all([...names].map((name) => store().blob(name)));
  return { conversation, nodes, blobs: blobs.filter((blob) => blob !== null) };
}

// All that are not in the bin, or those named.
export async function exportChats(ids: readonly string[] | null = null): Promise<void> {
  const all = (await store().conversations()).filter((one) => (ids ? ids.includes(one.id) : one.deletedAt === undefined));
  const bundles: Bundle[] = [];
  for (const one of all) bundles.push(await bundleOf(one));
  const title = ids?.length === 1 ? (all[0]?.title ?? '') : 'skein-chats';
  download(fileName(title, 'json'), asJson(bundles));
  await kept(store().setMeta('exported', Date.now()));
  await kept(store().setMeta('turnsSinceExport', 0));
}

export function exportMarkdown(conversation: Conversation, path: readonly Node[]): void {
  download(fileName(conversation.title, 'md'), asMarkdown(conversation, path, t()), 'text/markdown');
}

export async function importFiles(): Promise<void> {
  for (const file of await chooseFiles('.json,.jsonl,.txt', true)) await importFile(file);
}

export async function importFile(file: File): Promise<void> {
  const words = t();
  try {
    const text = await readText(file);
    if (text === null) throw new ImportTrouble('unknown');
    const bundles = readChats(text);
    let messages = 0;
    for (const bundle of bundles) {
      await store().addConversation(bundle.conversation, bundle.nodes, bundle.blobs);
      shown(bundle.conversation);
      tellChanged(bundle.conversation.id);
      messages += bundle.nodes.length;
    }
    showToast(words.imported(bundles.length, messages));
  } catch (error) {
    const why = error instanceof ImportTrouble ? words.importTrouble[error.kind] : words.storageFull;
    showToast(`${file.name}: ${words.importFailed}. ${why}`);
  }
}

