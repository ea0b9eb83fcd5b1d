// The conversations and the way to the views. The list is a tree with one Tab stop and arrows inside.
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { isNew, conversation } from '../chat/session';
import { shelf } from '../data/library';
import { search, type Hit } from '../data/search';
import type { Conversation } from '../data/types';
import { localeTag, t } from '../i18n';
import { isThere, views } from '../views/registry';
import { belongsToComposition } from './composition';
import { menuOpen } from './panels';
import { hrefOf, route } from './router';

export const query = signal('');
const hits = signal<Hit[] | null>(null);

export function Sidebar(): VNode {
  return (
    <div class="side-body">
      <Search />
      <List />
      <nav class="views" aria-label={t().views}>
        {views
          .filter((view) => view.listed && isThere(view))
          .map((view) => (
            <a
              key={view.route}
              href={hrefOf(view.route)}
              aria-current={route.value.name === view.route ? 'page' : undefined}
              onClick={() => (menuOpen.value = false)}
            >
              {view.name(t())}
            </a>
          ))}
      </nav>
    </div>
  );
}

function Search(): VNode {
  const words = query.value;
  useEffect(() => {
    if (words.trim() === '') {
      hits.value = null;
      return;
    }
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const found = await search(words, stop.signal);
      if (!stop.signal.aborted) hits.value = found;
    }, 150);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [words, shelf.value]);
  return (
    <div class="side-search">
      <input
        type="search"
        id="search"
        aria-label={t().searchChats}
        placeholder={t().searchChats}
        defaultValue={words}
        onInput={(event) => (query.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || belongsToComposition(event)) return;
          if (query.value === '') return;
          event.stopPropagation();
          event.currentTarget.value = query.value = '';
        }}
      />
    </div>
  );
}

const placeOf = (hit: Hit | undefined): string[] => (hit && hit.node !== '' ? [hit.node, 'found'] : []);

type Group = { name: string; chats: Conversation[] };

function groups(chats: readonly Conversation[]): Group[] {
  const words = t();
  const today = new Date().setHours(0, 0, 0, 0);
  const out: Group[] = [words.pinned, words.today, words.yesterday, words.earlier].map((name) => ({ name, chats: [] }));
  for (const chat of chats) {
    const at = chat.pinned ? 0 : chat.updated >= today ? 1 : chat.updated >= today - 24 * 3600 * 1000 ? 2 : 3;
    out[at]!.chats.push(chat);
  }
  return out.filter((group) => group.chats.length > 0);
}

function List(): VNode {
  const found = hits.value;
  const list = useRef<HTMLElement>(null);
  const current = isNew.value ? '' : conversation.value.id;
  const byId = new Map(shelf.value.map((chat) => [chat.id, chat]));
  const shownGroups: Group[] = found
    ? [{ name: '', chats: found.flatMap((hit) => byId.get(hit.conv) ?? []) }]
    : groups(shelf.value);
  const places = new Map(found?.map((hit) => [hit.conv, hit]));
  const all = shownGroups.flatMap((group) => group.chats);
  const stop = all.some((chat) => chat.id === current) ? current : all[0]?.id;

  const move = (event: KeyboardEvent): void => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('[role=treeitem]') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (at < 0) return;
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined || !items[next]) return;
    event.preventDefault();
    items[next].focus();
  };

  return (
    <nav class="side-list" aria-label={t().conversations} ref={list} onKeyDown={move}>
      {all.length === 0 && <p class="muted small side-note">{found ? t().noHits : t().emptyList}</p>}
      {all.length > 0 && (
        <div role="tree" aria-label={t().conversations}>
          {shownGroups.map((group) => (
            <div role="group" aria-label={group.name || t().searchChats} key={group.name}>
              {group.name && (
                <p class="muted small side-note" aria-hidden="true">
                  {group.name}
                </p>
              )}
              {group.chats.map((chat) => (
                <div class="side-item" role="none" key={chat.id}>
                  <a
                    role="treeitem"
                    href={hrefOf('c', chat.id, ...placeOf(places.get(chat.id)))}
                    aria-selected={chat.id === current}
                    aria-current={chat.id === current ? 'page' : undefined}
                    tabIndex={chat.id === stop ? 0 : -1}
                    title={new Intl.DateTimeFormat(localeTag.value, { dateStyle: 'medium', timeStyle: 'short' }).format(chat.updated)}
                    dir="auto"
                    onClick={() => (menuOpen.value = false)}
                  >
                    {chat.title || t().untitled}
                    {places.get(chat.id)?.excerpt && <small class="muted">{places.get(chat.id)?.excerpt}</small>}
                  </a>
                </div>
              ))}
            </div>
          ))}
        </div>
      )}
    </nav>
  );
}

