// What a state holds, as numbers by layer and head; what each token did to it; what two of them differ in.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { go } from '../app/router';
import { path as chatPath } from '../chat/session';
import { remember, rememberedText } from '../data/local';
import { bytes, localeTag, number, t } from '../i18n';
import { can } from '../net/boot';
import { nameOf } from '../text/controls';
import { Figures } from './figures';
import { Fold } from './fold';
import { Heat } from './heat';
import type { ViewProps } from './registry';
import { listStates, stats, type Field, type State } from './server';
import { StateDiff } from './state_diff';
import { TraceStrip } from './trace';
import { Trouble } from './trouble';
import { useAsked } from './use_asked';

export default function StateView({ args }: ViewProps): VNode {
  const words = t();
  const list = useAsked(() => listStates(), []);
  const states = list.value ?? [];
  const inChat = new Set(chatPath.value.flatMap((node) => node.state?.id ?? []));
  const chosen = states.find(({ id }) => id === args[0]) ?? states.find(({ id }) => inChat.has(id)) ?? states[0];
  return (
    <div class="stack wide-gap">
      <Note />
      {list.error !== null && <Trouble error={list.error} again={list.again} />}
      {list.busy && <p class="muted">{words.loading}</p>}
      {list.value && states.length === 0 && (
        <div class="empty">
          <p>{words.stateNone}</p>
          <button type="button" class="button" onClick={() => go('')}>
            {words.stateGoChat}
          </button>
        </div>
      )}
      {chosen && (
        <>
          <Choose states={states} chosen={chosen} inChat={inChat} again={list.again} />
          <Facts state={chosen} />
          <Numbers key={chosen.id} state={chosen} states={states} />
          {can('trace') && <TraceStrip key={`trace ${chosen.id}`} state={chosen} />}
          {can('diff_heads') && <StateDiff key={`diff ${chosen.id}`} state={chosen} states={states} />}
        </>
      )}
    </div>
  );
}

function Note(): VNode {
  const words = t();
  return (
    <Fold
      summary={words.stateNoteTitle}
      open={rememberedText('state-note') !== 'read'}
      onToggle={(open) => remember('state-note', open ? null : 'read')}
    >
      {() => <p class="prose">{words.stateNote}</p>}
    </Fold>
  );
}

// What to call a state that has no name.
export function titleOfState(state: State): string {
  return nameOf(state.name) || t().stateUnnamed(state.tokens, new Intl.DateTimeFormat(localeTag.value, { dateStyle: 'short', timeStyle: 'medium' }).format(state.created * 1000));
}

export function StateOptions({ states, inChat }: { states: readonly State[]; inChat: ReadonlySet<string> }): VNode {
  const words = t();
  const groups: [string, State[]][] = [
    [words.stateOfChat, states.filter(({ id }) => inChat.has(id))],
    [words.stateOthers, states.filter(({ id }) => !inChat.has(id))],
  ];
  return (
    <>
      {groups
        .filter(([, members]) => members.length > 0)
        .map(([name, members]) => (
          <optgroup label={name} key={name}>
            {members.map((state) => (
              <option value={state.id} key={state.id}>
                {titleOfState(state)}
              </option>
            ))}
          </optgroup>
        ))}
    </>
  );
}

function Choose({ states, chosen, inChat, again }: { states: State[]; chosen: State; inChat: Set<string>; again: () => void }): VNode {
  const words = t();
  return (
    <div class="row">
      <label class="labelled">
        <span>{words.state}</span>
        <select value={chosen.id} onChange={(event) => go('state', event.currentTarget.value)}>
          <StateOptions states={states} inChat={inChat} />
        </select>
      </label>
      <button type="button" class="button" onClick={again}>
        {words.viewRefresh}
      </button>
    </div>
  );
}

function Facts({ state }: { state: State }): VNode {
  const words = t();
  return (
    <Figures
      rows={[
        [words.factTokens, number(state.tokens)],
        [words.factSize, bytes(state.bytes)],
        [words.factPerToken, state.tokens > 0 ? bytes(state.bytes / state.tokens) : '–'],
        [words.model, state.model],
      ]}
    />
  );
}

const FIELDS: Field[] = ['norm', 'change', 'rank'];

function Numbers({ state, states }: { state: State; states: State[] }): VNode {
  const words = t();
  const field = useSignal<Field>('norm');
  // States of the same model that a change can be told from; the one before it first.
  const others = states.filter((other) => other.id !== state.id && other.fingerprint === state.fingerprint);
  const since = useSignal(others.find(({ id }) => id === state.parent)?.id ?? others[0]?.id ?? '');
  const asks = field.value !== 'change' || since.value !== '';
  const grid = useAsked(asks ? () => stats(state.id, field.value, since.value) : null, [state.id, field.value, since.value]);
  const names: Record<Field, string> = { norm: words.statNorm, change: words.statChange, rank: words.statRank };
  const helps: Record<Field, string> = { norm: words.statNormHelp, change: words.statChangeHelp, rank: words.statRankHelp };
  return (
    <section class="stack" aria-labelledby="state-numbers">
      <h2 id="state-numbers">{words.stateNumbers}</h2>
      <div class="row">
        <div class="segments" role="radiogroup" aria-labelledby="state-numbers">
          {FIELDS.map((one) => (
            <label key={one}>
              <input type="radio" name="field" checked={field.value === one} onChange={() => (field.value = one)} />
              <span>{names[one]}</span>
            </label>
          ))}
        </div>
        {field.value === 'change' && (
          <label class="labelled">
            <span>{words.statSince}</span>
            <select value={since.value} onChange={(event) => (since.value = event.currentTarget.value)}>
              {others.map((other) => (
                <option value={other.id} key={other.id}>
                  {titleOfState(other)}
                </option>
              ))}
            </select>
          </label>
        )}
      </div>
      <p class="muted">{helps[field.value]}</p>
      {!asks && <p>{words.statNoOther}</p>}
      {grid.error !== null && <Trouble error={grid.error} again={grid.again} />}
      {grid.busy && <p class="muted">{words.loading}</p>}
      {grid.value && <Heat grid={grid.value} name={names[field.value]} digits={field.value === 'norm' ? 1 : 2} />}
    </section>
  );
}
