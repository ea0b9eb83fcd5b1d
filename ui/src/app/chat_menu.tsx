// What can be done with the open chat as a whole, behind "More" in the header.
import type { VNode } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { conversation, isNew, openBlank, path, runs } from '../chat/session';
import { exportChats, exportMarkdown } from '../data/exchange';
import { fromBin, pin, rename, toBin } from '../data/library';
import { t } from '../i18n';
import { belongsToComposition } from './composition';
import { Icon } from './icon';
import { LanguageChoice } from './choices';
import { go } from './router';
import { Sheet } from './sheet';
import { showToast } from './toasts';

export function deleteChat(id: string): void {
  runs.value.get(id)?.stop();
  void toBin(id);
  openBlank();
  go('');
  showToast(t().chatDeleted, {
    name: t().undo,
    run: () => void fromBin(id).then(() => go('c', id)),
  });
}

export function ChatMenu(): VNode {
  const details = useRef<HTMLDetailsElement>(null);
  const [renaming, setRenaming] = useState(false);
  const words = t();
  const chat = conversation.value;
  const close = (): void => {
    if (details.current) details.current.open = false;
  };
  const item = (name: string, icon: string, run: () => void): VNode => (
    <button
      type="button"
      class="button quiet"
      onClick={() => {
        close();
        run();
      }}
    >
      <Icon name={icon} />
      {name}
    </button>
  );
  return (
    <>
      <details
        class="menu"
        ref={details}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || !details.current?.open) return;
          event.stopPropagation();
          close();
          details.current.querySelector('summary')?.focus();
        }}
        onFocusOut={(event) => {
          if (event.relatedTarget instanceof Element && !details.current?.contains(event.relatedTarget)) close();
        }}
      >
        <summary class="button quiet square" aria-label={words.more} title={words.more}>
          <Icon name="ellipsis" />
        </summary>
        <div class="menu-body">
          {!isNew.value && item(words.rename, 'pencil', () => setRenaming(true))}
          {!isNew.value && item(chat.pinned ? words.unpin : words.pin, 'pin', () => void pin(chat.id, !chat.pinned))}
          {!isNew.value && item(words.exportChat, 'download', () => void exportChats([chat.id]))}
          {!isNew.value && item(words.exportMarkdown, 'download', () => exportMarkdown(chat, path.value))}
          {!isNew.value && item(words.deleteChat, 'trash', () => deleteChat(chat.id))}
          {!isNew.value && <hr />}
          <LanguageChoice />
          {item(words.settings, 'settings-2', () => go('settings'))}
        </div>
      </details>
      <Sheet title={words.rename} open={renaming} side="middle" onClose={() => setRenaming(false)}>
        <RenameForm id={chat.id} title={chat.title} onDone={() => setRenaming(false)} />
      </Sheet>
    </>
  );
}

function RenameForm({ id, title, onDone }: { id: string; title: string; onDone: () => void }): VNode {
  const field = useRef<HTMLInputElement>(null);
  // After the dialog has opened, which gives the focus to its first control.
  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      field.current?.focus();
      field.current?.select();
    });
    return () => cancelAnimationFrame(frame);
  }, []);
  return (
    <form
      class="row"
      onSubmit={(event) => {
        event.preventDefault();
        const next = field.current?.value.trim() ?? '';
        if (next) void rename(id, next);
        onDone();
      }}
    >
      <input
        type="text"
        ref={field}
        aria-label={t().renameTitle}
        defaultValue={title}
        maxLength={200}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && belongsToComposition(event)) event.preventDefault();
        }}
      />
      <button class="button primary">{t().save}</button>
    </form>
  );
}
