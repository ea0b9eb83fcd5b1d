// The page: header, conversations, what is open, and what lies beside it.
import { untracked, useSignalEffect } from '@preact/signals';
import type { VNode } from 'preact';
import { Chat } from '../chat/chat';
import { conversation, isNew, openBlank, open } from '../chat/session';
import { Panel } from '../chat/panel';
import { exportChats } from '../data/exchange';
import { libraryOpen, storageTrouble } from '../data/library';
import { t } from '../i18n';
import { look, online } from '../net/connection';
import { viewOf } from '../views/registry';
import { alertWords, statusWords } from './announce';
import { ChatMenu } from './chat_menu';
import { Icon } from './icon';
import { newChat } from './keys';
import { KeysHelp } from './keys_help';
import { isWide } from './media';
import { inspector, menuOpen } from './panels';
import { hrefOf, route } from './router';
import { Sheet } from './sheet';
import { Sidebar } from './sidebar';
import { dismissToast, toast } from './toasts';
import { ViewHost } from './view_host';

export function Shell(): VNode {
  const words = t();
  const view = viewOf(route.value.name);
  const title = view ? view.name(words) : isNew.value ? words.newChat : conversation.value.title || words.untitled;

  useSignalEffect(() => {
    const { name, args } = route.value;
    if (!libraryOpen.value) return;
    // Follows the address and nothing else that opening a chat looks at.
    untracked(() => {
      if (name === 'c' && args[0]) void open(args[0], args[1] ?? null, args[2] === 'found');
      else if (name === '' && !isNew.value) openBlank();
    });
  });
  useSignalEffect(() => {
    const shown = viewOf(route.value.name);
    const chat = isNew.value ? '' : conversation.value.title;
    document.title = [shown ? shown.name(t()) : chat, t().appName].filter((part) => part !== '').join(' · ');
  });

  const showsPanel = inspector.value !== '' && isWide.value && !view;
  return (
    <div class={`app ${showsPanel ? 'inspected' : ''}`}>
      <a
        class="skip"
        href={view ? '#view' : '#message'}
        onClick={(event) => {
          event.preventDefault();
          document.getElementById('message')?.focus();
        }}
      >
        {words.skip}
      </a>
      {isWide.value && (
        <div class="side">
          <Sidebar />
        </div>
      )}
      <header class="header">
        <button
          type="button"
          class="button quiet square open-menu"
          aria-label={words.menu}
          title={words.menu}
          onClick={() => (menuOpen.value = true)}
        >
          <Icon name="menu" />
        </button>
        {view && (
          <a class="button quiet square" href={isNew.value ? '#/' : hrefOf('c', conversation.value.id)} aria-label={words.back} title={words.back}>
            <Icon name="chevron-left" />
          </a>
        )}
        <h1 dir="auto">{title}</h1>
        <button type="button" class="button quiet" aria-label={words.newChat} title={words.newChat} onClick={newChat}>
          <Icon name="plus" />
          <span class="on-wide">{words.newChat}</span>
        </button>
        <ChatMenu />
      </header>
      <main class="main" aria-label={title}>
        <Bars />
        {view ? <ViewHost view={view} args={route.value.args} /> : libraryOpen.value ? <Chat /> : <p class="opening muted">{words.loading}</p>}
      </main>
      {showsPanel && (
        <aside class="inspector" aria-label={words.settings}>
          <div class="sheet-head">
            <h2>{words.settings}</h2>
            <button type="button" class="button quiet square" aria-label={words.close} onClick={() => (inspector.value = '')}>
              <Icon name="x" />
            </button>
          </div>
          <Panel which={inspector.value} />
        </aside>
      )}
      {!isWide.value && (
        <Sheet title={words.conversations} open={menuOpen.value} side="start" onClose={() => (menuOpen.value = false)}>
          <Sidebar />
        </Sheet>
      )}
      {!isWide.value && (
        <Sheet title={words.settings} open={inspector.value !== '' && !view} side="end" onClose={() => (inspector.value = '')}>
          <Panel which={inspector.value} />
        </Sheet>
      )}
      <KeysHelp />
      <Toast />
      <div class="hidden" role="status">
        {statusWords.value}
      </div>
      <div class="hidden" role="alert">
        {alertWords.value}
      </div>
    </div>
  );
}

// What is wrong with the connection or the storage, above everything until it is over.
function Bars(): VNode {
  const words = t();
  const trouble = storageTrouble.value;
  const said = { '': '', none: words.noStorage, full: words.storageFull, newer: words.storageNewer, outdated: words.newerPage }[trouble];
  return (
    <>
      {!online.value && (
        <p class="bar">
          {words.notConnected}
          <button type="button" class="button small" onClick={() => void look()}>
            {words.tryAgain}
          </button>
        </p>
      )}
      {said !== '' && (
        <p class="bar danger" role="alert">
          {said}
          {trouble === 'outdated' ? (
            <button type="button" class="button small" onClick={() => location.reload()}>
              {words.reload}
            </button>
          ) : (
            trouble !== 'none' && (
              <button type="button" class="button small" onClick={() => void exportChats()}>
                {words.exportAll}
              </button>
            )
          )}
        </p>
      )}
    </>
  );
}

function Toast(): VNode | null {
  const shown = toast.value;
  if (!shown) return null;
  const { action } = shown;
  return (
    <div class="toasts">
      <div class="toast">
        <span>{shown.words}</span>
        {action && (
          <button
            type="button"
            class="button small"
            onClick={() => {
              dismissToast();
              action.run();
            }}
          >
            {action.name}
          </button>
        )}
        <button type="button" class="button small square" aria-label={t().close} onClick={dismissToast}>
          <Icon name="x" size={16} />
        </button>
      </div>
    </div>
  );
}
