// Tuned states: what a model begins with in place of nothing. By name, and fresh at each opening.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { chooseFiles } from '../app/file';
import { go } from '../app/router';
import { conversation, openBlank } from '../chat/session';
import { bytes, t } from '../i18n';
import { models } from '../net/boot';
import { nameOf } from '../text/controls';
import { deleteState, listStates, uploadTuned, type State } from './server';
import { Trouble } from './trouble';
import { useAsked } from './use_asked';

export default function Cartridges(): VNode {
  const words = t();
  const list = useAsked(() => listStates('&kind=tuned'), []);
  const error = useSignal<unknown>(null);
  const busy = useSignal(false);
  const add = async (): Promise<void> => {
    const [file] = await chooseFiles('.pth,.st,.safetensors,.skein,.state', false);
    if (!file) return;
    busy.value = true;
    error.value = null;
    try {
      await uploadTuned(file, file.name.replace(/\.[^.]+$/, ''));
      list.again();
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
  };
  return (
    <section class="stack" aria-labelledby="cartridges-title">
      <h2 id="cartridges-title">{words.cartridgeTitle}</h2>
      <p class="prose">{words.cartridgeIntro}</p>
      <div class="row">
        <button type="button" class="button primary" disabled={busy.value} onClick={() => void add()}>
          {words.cartridgeAdd}
        </button>
        {busy.value && (
          <span class="muted" role="status">
            {words.loading}
          </span>
        )}
      </div>
      {error.value !== null && <Trouble error={error.value} />}
      {list.error !== null && <Trouble error={list.error} again={list.again} />}
      {list.busy && <p class="muted">{words.loading}</p>}
      {list.value?.length === 0 && <p class="muted">{words.cartridgeNone}</p>}
      {list.value && list.value.length > 0 && (
        <ul class="cards two">
          {list.value.map((state) => (
            <Card state={state} again={list.again} key={state.id} />
          ))}
        </ul>
      )}
      <p class="honest">{words.cartridgeNote}</p>
    </section>
  );
}

function Card({ state, again }: { state: State; again: () => void }): VNode {
  const words = t();
  const error = useSignal<unknown>(null);
  const asking = useSignal(false);
  const model = models.value.find(({ fingerprint }) => fingerprint === state.fingerprint);
  const fits = model !== undefined && state.usable;
  const use = (): void => {
    openBlank();
    conversation.value = { ...conversation.value, cartridge: state.name || state.id, model: models.value.length > 1 && model ? model.id : '' };
    go('');
    requestAnimationFrame(() => document.getElementById('message')?.focus());
  };
  return (
    <li class={`card ${fits ? '' : 'unfit'}`}>
      <div class="card-head">
        <h3 dir="auto">{nameOf(state.name) || words.cartridgeUnnamed}</h3>
        <span class="muted">{bytes(state.bytes)}</span>
      </div>
      <p class="small" dir="auto">
        {words.cartridgeFor(state.model)} <code>{state.fingerprint.slice(0, 8)}</code>
      </p>
      <p class="muted small">{fits ? words.cartridgeReplaces : words.cartridgeUnfit}</p>
      {error.value !== null && <Trouble error={error.value} />}
      <div class="row">
        <button type="button" class="button primary" disabled={!fits} onClick={use}>
          {words.cartridgeUse}
        </button>
        <button
          type="button"
          class={asking.value ? 'button danger' : 'button quiet'}
          onClick={() => {
            if (!asking.value) asking.value = true;
            else deleteState(state.id).then(again, (failed: unknown) => (error.value = failed));
          }}
          onBlur={() => (asking.value = false)}
        >
          {asking.value ? words.documentForgetNow : words.documentForget}
        </button>
      </div>
    </li>
  );
}
