// A chat before its first message.
import type { VNode } from 'preact';
import { conversations, storageTrouble } from '../data/library';
import { importFiles } from '../data/exchange';
import { t } from '../i18n';
import { boot, booted, modelNamed } from '../net/boot';
import { online } from '../net/connection';
import { attachFiles } from './attach';
import { fill, keepDraft } from './composer';
import { chooseFiles } from '../app/file';
import { go } from '../app/router';
import { viewOf } from '../views/registry';
import { conversation } from './session';

export function Welcome(): VNode {
  const words = t();
  const chat = conversation.value;
  const model = modelNamed(chat.model);
  return (
    <div class="welcome">
      <h2>{words.greeting}</h2>
      <p class="muted">
        {model && booted.value
          ? words.modelLine(model.id, words.thinkNames[chat.think as keyof typeof words.thinkNames] ?? chat.think)
          : online.value
            ? words.loading
            : words.noServer}
      </p>
      {chat.mounts.length === 0 && <Examples />}
      {conversations.value.length === 0 && storageTrouble.value === '' && (
        <p class="small muted row">
          {words.keptHere}
          <button type="button" class="button quiet small" onClick={() => void importFiles()}>
            {words.importChats}
          </button>
        </p>
      )}
      {boot.value.version && <p class="small muted">{words.version(boot.value.version)}</p>}
    </div>
  );
}

function Examples(): VNode {
  const words = t();
  const race = viewOf('race');
  return (
    <ul class="examples" aria-label={words.examples}>
      <li>
        <button type="button" class="button" onClick={() => fill(words.example1)}>
          {words.example1}
        </button>
      </li>
      <li>
        <button
          type="button"
          class="button"
          onClick={() => void chooseFiles('', true).then(attachFiles).then(keepDraft)}
        >
          {words.example2}
        </button>
      </li>
      {race && (
        <li>
          <button type="button" class="button" onClick={() => go('race')}>
            {words.example3}
          </button>
        </li>
      )}
    </ul>
  );
}
