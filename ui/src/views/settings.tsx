// How the page looks and behaves, the key, the chats as a whole, and what Skein is.
import type { VNode } from 'preact';
import { LanguageChoice, ThemeChoice } from '../app/choices';
import { keysOpen } from '../app/panels';
import { prefer, preferences, type Preferences } from '../app/preferences';
import { go } from '../app/router';
import { Sampler } from '../chat/sampler';
import { exportChats, importFiles } from '../data/exchange';
import { bin, fromBin, removeForGood } from '../data/library';
import { t } from '../i18n';
import { boot } from '../net/boot';
import { forgetKey, key, useKey } from '../net/key';

export default function Settings(): VNode {
  const words = t();
  return (
    <div class="settings">
      <section>
        <h2>{words.generalHeading}</h2>
        <div class="stack">
          <div class="row">
            <LanguageChoice />
            <ThemeChoice />
          </div>
          <div>
            <Preference name="enterSends" words={words.enterSends} />
            <Preference name="singleKeys" words={words.singleKeys} />
            <Preference name="speakAnswers" words={words.speakAnswers} />
          </div>
          <div>
            <button type="button" class="button" onClick={() => (keysOpen.value = true)}>
              {words.keyboardHelp}
            </button>
          </div>
        </div>
      </section>
      <section>
        <h2>{words.apiKey}</h2>
        <Key />
      </section>
      <section>
        <h2>{words.chatsHeading}</h2>
        <p class="muted">{words.keptHere}</p>
        <div class="row">
          <button type="button" class="button" onClick={() => void exportChats()}>
            {words.exportAll}
          </button>
          <button type="button" class="button" onClick={() => void importFiles()}>
            {words.importChats}
          </button>
        </div>
        <h3>{words.bin}</h3>
        <p class="small muted">{bin.value.length > 0 ? words.binNote : words.binEmpty}</p>
        <ul class="bin">
          {bin.value.map((chat) => (
            <li key={chat.id} class="row">
              <bdi>{chat.title || words.untitled}</bdi>
              <button
                type="button"
                class="button small"
                aria-label={words.restoreNamed(chat.title || words.untitled)}
                onClick={() => void fromBin(chat.id).then(() => go('c', chat.id))}
              >
                {words.restore}
              </button>
              <button type="button" class="button small danger" aria-label={`${words.deleteForGood}: ${chat.title}`} onClick={() => void removeForGood(chat.id)}>
                {words.deleteForGood}
              </button>
            </li>
          ))}
        </ul>
      </section>
      <section>
        <h2>{words.profile}</h2>
        <Sampler />
      </section>
      <section>
        <h2>{words.about}</h2>
        <p>
          {words.version(boot.value.version)} · <a href="licences.txt">{words.licences}</a>
        </p>
      </section>
    </div>
  );
}

function Preference({ name, words }: { name: keyof Preferences; words: string }): VNode {
  return (
    <label class="check">
      <input type="checkbox" checked={preferences.value[name]} onChange={({ currentTarget }) => prefer(name, currentTarget.checked)} />
      {words}
    </label>
  );
}

function Key(): VNode {
  const words = t();
  if (key.value !== '')
    return (
      <p class="row">
        {words.keyKept}
        <button type="button" class="button" onClick={forgetKey}>
          {words.forgetKey}
        </button>
      </p>
    );
  return (
    <form
      class="stack"
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        const value = String(data.get('key') ?? '').trim();
        if (value) useKey(value, data.get('remember') !== null);
      }}
    >
      <input type="text" name="username" autocomplete="username" hidden />
      <div class="row">
        <input type="password" name="key" aria-label={words.apiKey} autocomplete="current-password" />
        <button class="button">{words.useKey}</button>
      </div>
      <label class="check">
        <input type="checkbox" name="remember" />
        {words.remember}
      </label>
    </form>
  );
}
