// A document whose state is gone is read again from the text that was kept of it.
import { kept, store } from '../data/library';
import type { Conversation } from '../data/types';
import { t } from '../i18n';
import { askJson } from '../net/api';
import { stateOf } from '../net/chat';
import { Failure, isRecord } from '../net/errors';
import { adjust, conversation } from './session';

export async function remount(chat: Conversation): Promise<Conversation> {
  const mounts = structuredClone(chat.mounts);
  const mount = mounts.at(-1);
  if (!mount) throw new Failure('gone');
  const blob = mount.blob === undefined ? null : await store().blob(mount.blob);
  if (!blob) throw new Failure('gone', t().documentGone(mount.name, mount.sha256 ?? ''));
  const answer = await askJson<unknown>('v1/states', {
    json: { input: blob.text, kind: 'document', ...(chat.model ? { model: chat.model } : {}) },
  });
  const state = isRecord(answer) ? stateOf(answer['state']) : null;
  if (!state) throw new Failure('strange');
  mount.state = state.id;
  if (conversation.value.id === chat.id) await adjust((record) => (record.mounts = mounts));
  else await kept(store().changeConversation(chat.id, (record) => (record.mounts = mounts)));
  return { ...chat, mounts };
}
