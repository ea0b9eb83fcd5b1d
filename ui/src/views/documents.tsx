// Documents: a text is read once, kept as a state of fixed size, and asked about as often as one likes.
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { chooseFiles, readText } from '../app/file';
import { go } from '../app/router';
import { showToast } from '../app/toasts';
import { conversation, openBlank } from '../chat/session';
import { bytes, localeTag, number, seconds, t } from '../i18n';
import { boot, models } from '../net/boot';
import { nameOf } from '../text/controls';
import { Figures } from './figures';
import { jobs, startReading, stopReading, forget, resume, type Job } from './reading';
import { changeState, deleteState, listStates, type State } from './server';
import { Trouble } from './trouble';
import { useAsked } from './use_asked';

const KINDS = '.txt,.md,.markdown,.rst,.csv,.json,.xml,.html,.tex,.log,.py,.js,.ts,.c,.h,.cpp,.rs,.go,.java,.sh,.yaml,.toml,text/*';

// A new chat whose first message goes on from this state.
export function askAbout(state: State): void {
  openBlank();
  conversation.value = {
    ...conversation.value,
    model: models.value.length > 1 ? state.model : conversation.value.model,
    mounts: [{ name: state.name || t().documentUnnamed, state: state.id, tokens: state.tokens, fingerprint: state.fingerprint }],
  };
  go('');
  requestAnimationFrame(() => document.getElementById('message')?.focus());
}

export default function Documents(): VNode {
  const words = t();
  const list = useAsked(() => listStates('&kind=document'), [jobs.value.filter((job) => job.state !== null).length]);
  return (
    <div class="stack wide-gap">
      <section class="stack" aria-labelledby="documents-add">
        <h2 id="documents-add">{words.documentAddTitle}</h2>
        <p class="prose">{words.documentIntro}</p>
        <Add />
      </section>
      {jobs.value.length > 0 && (
        <section class="stack" aria-labelledby="documents-reading">
          <h2 id="documents-reading">{words.documentReading}</h2>
          <ul class="cards">
            {jobs.value.map((job) => (
              <Reading job={job} key={job.id} />
            ))}
          </ul>
        </section>
      )}
      <section class="stack" aria-labelledby="documents-list">
        <h2 id="documents-list">{words.documentMounted}</h2>
        {list.error !== null && <Trouble error={list.error} again={list.again} />}
        {list.busy && <p class="muted">{words.loading}</p>}
        {list.value?.length === 0 && <p class="muted">{words.documentNone}</p>}
        {list.value && list.value.length > 0 && (
          <ul class="cards">
            {list.value.map((state) => (
              <Mounted state={state} again={list.again} key={state.id} />
            ))}
          </ul>
        )}
        <p class="honest">{words.documentHonest}</p>
      </section>
    </div>
  );
}

function Add(): VNode {
  const words = t();
  const file = useSignal<{ name: string; text: string } | null>(null);
  const over = useSignal(false);
  const task = useRef<HTMLInputElement>(null);
  const name = useRef<HTMLInputElement>(null);
  const pinned = useRef<HTMLInputElement>(null);
  const model = useRef<HTMLSelectElement>(null);
  const limit = boot.value.limits['body_bytes'] ?? 0;

  const take = async (chosen: File | undefined): Promise<void> => {
    if (!chosen) return;
    const text = await readText(chosen);
    if (text === null) return showToast(words.notText(chosen.name));
    if (limit > 0 && chosen.size > limit * 0.9) return showToast(words.documentTooLarge(chosen.name, bytes(limit)));
    file.value = { name: chosen.name, text };
    requestAnimationFrame(() => task.current?.focus());
  };
  const begin = (event: Event): void => {
    event.preventDefault();
    if (!file.value) return;
    startReading({
      name: name.current?.value.trim() || file.value.name,
      task: task.current?.value.trim() ?? '',
      text: file.value.text,
      pinned: pinned.current?.checked ?? false,
      model: model.current?.value ?? '',
    });
    file.value = null;
  };

  if (!file.value)
    return (
      <div
        class={`drop-box ${over.value ? 'over' : ''}`}
        onDragOver={(event) => {
          event.preventDefault();
          over.value = true;
        }}
        onDragLeave={() => (over.value = false)}
        onDrop={(event) => {
          event.preventDefault();
          event.stopPropagation();
          over.value = false;
          void take(event.dataTransfer?.files[0]);
        }}
      >
        <button type="button" class="button primary" onClick={() => void chooseFiles(KINDS, false).then(([one]) => take(one))}>
          {words.documentChoose}
        </button>
        <span class="muted">{words.documentDrop}</span>
      </div>
    );
  return (
    <form class="stack card" onSubmit={begin}>
      <p>
        <strong dir="auto">{nameOf(file.value.name)}</strong> <span class="muted">{words.documentLength(file.value.text.length)}</span>
      </p>
      <label class="labelled above">
        <span>{words.documentTask}</span>
        <input type="text" ref={task} maxLength={500} placeholder={words.documentTaskExample} />
      </label>
      <p class="muted small">{words.documentTaskHelp}</p>
      <label class="labelled above">
        <span>{words.documentName}</span>
        <input type="text" ref={name} defaultValue={file.value.name} maxLength={120} />
      </label>
      {models.value.length > 1 && (
        <label class="labelled above">
          <span>{words.model}</span>
          <select ref={model}>
            {models.value.map(({ id, title }) => (
              <option value={id} key={id}>
                {title}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="check">
        <input type="checkbox" ref={pinned} defaultChecked />
        <span>{words.documentPin}</span>
      </label>
      <div class="row">
        <button type="submit" class="button primary">
          {words.documentRead}
        </button>
        <button type="button" class="button" onClick={() => (file.value = null)}>
          {words.documentAnother}
        </button>
      </div>
    </form>
  );
}

function Reading({ job }: { job: Job }): VNode {
  const words = t();
  const share = job.of > 0 ? job.read / job.of : 0;
  const rate = job.ms > 0 ? (job.read * 1000) / job.ms : 0;
  return (
    <li class="card">
      <div class="card-head">
        <h3 dir="auto">{nameOf(job.wish.name)}</h3>
        <span class="muted">{job.of > 0 ? words.documentProgress(job.read, job.of) : words.documentWaiting}</span>
      </div>
      <div class="progress" role="progressbar" aria-label={job.wish.name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}>
        <span style={{ width: `${share * 100}%` }} />
      </div>
      {job.running && rate > 0 && job.of > 0 && (
        <p class="muted small">{words.documentPace(number(rate), seconds(((job.of - job.read) * 1000) / rate))}</p>
      )}
      {job.error !== null && <Trouble error={job.error} />}
      {!job.running && !job.state && job.error === null && <p class="muted small">{words.documentStopped}</p>}
      <div class="row">
        {job.running && (
          <button type="button" class="button" aria-label={words.documentStopNamed(job.wish.name)} onClick={() => stopReading(job.id)}>
            {words.stop}
          </button>
        )}
        {!job.running && !job.state && (
          <button type="button" class="button primary" onClick={() => resume(job.id)}>
            {words.documentResume}
          </button>
        )}
        {job.state && (
          <button type="button" class="button primary" onClick={() => askAbout(job.state!)}>
            {words.documentAsk}
          </button>
        )}
        {!job.running && (
          <button type="button" class="button quiet" onClick={() => forget(job.id)}>
            {words.documentHide}
          </button>
        )}
      </div>
    </li>
  );
}

function Mounted({ state, again }: { state: State; again: () => void }): VNode {
  const words = t();
  const error = useSignal<unknown>(null);
  const asking = useSignal(false); // whether it shall really go
  const done = (work: Promise<unknown>): void => {
    error.value = null;
    work.then(again, (failed: unknown) => (error.value = failed));
  };
  const date = new Intl.DateTimeFormat(localeTag.value, { dateStyle: 'medium', timeStyle: 'short' }).format(state.lastUsed * 1000);
  const title = nameOf(state.name) || words.documentUnnamed;
  return (
    <li class="card">
      <div class="card-head">
        <h3 dir="auto">{title}</h3>
        {state.pinned && <span class="tag">{words.pinned}</span>}
        {!state.usable && <span class="tag warn">{words.documentOtherModel}</span>}
      </div>
      <Figures
        small
        rows={[
          [words.factTokens, number(state.tokens)],
          [words.factSize, bytes(state.bytes)],
          [words.model, state.model],
          [words.factLastUsed, date],
        ]}
      />
      {error.value !== null && <Trouble error={error.value} />}
      <div class="row">
        <button type="button" class="button primary" disabled={!state.usable} aria-label={words.documentAskNamed(title)} onClick={() => askAbout(state)}>
          {words.documentAsk}
        </button>
        <button type="button" class="button" onClick={() => done(changeState(state.id, { pinned: !state.pinned }))}>
          {state.pinned ? words.unpin : words.pin}
        </button>
        <button type="button" class="button" onClick={() => go('state', state.id)}>
          {words.documentLook}
        </button>
        {asking.value ? (
          <>
            <button type="button" class="button danger" onClick={() => done(deleteState(state.id))}>
              {words.documentForgetNow}
            </button>
            <button type="button" class="button quiet" onClick={() => (asking.value = false)}>
              {words.documentKeep}
            </button>
          </>
        ) : (
          <button type="button" class="button quiet" aria-label={words.documentForgetNamed(title)} onClick={() => (asking.value = true)}>
            {words.documentForget}
          </button>
        )}
      </div>
    </li>
  );
}
