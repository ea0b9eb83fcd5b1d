// What two states differ in. Their texts first, for numbers do not explain; then each head.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { number, t } from '../i18n';
import { factsOf } from './grid';
import { Heat } from './heat';
import { diffHeads, diffTexts, type Diff, type State } from './server';
import { titleOfState } from './state';
import { Trouble } from './trouble';
import { useAsked } from './use_asked';

export function StateDiff({ state, states }: { state: State; states: State[] }): VNode | null {
  const words = t();
  const others = states.filter((one) => one.id !== state.id && one.fingerprint === state.fingerprint);
  // The likeliest: another answer to the same question.
  const beside = others.find((one) => one.parent !== '' && one.parent === state.parent);
  const other = useSignal('');
  const view = useSignal<'distance' | 'cosine'>('distance');
  const texts = useAsked(other.value ? () => diffTexts(state.id, other.value) : null, [other.value]);
  const heads = useAsked(other.value ? () => diffHeads(state.id, other.value) : null, [other.value]);
  const chosen = others.find(({ id }) => id === other.value);
  const [distance, cosine] = heads.value ?? [];
  const grid = view.value === 'distance' ? distance : cosine;
  return (
    <section class="stack" aria-labelledby="state-diff">
      <h2 id="state-diff">{words.diffTitle}</h2>
      <p class="muted">{words.diffHelp}</p>
      {others.length === 0 ? (
        <p>{words.statNoOther}</p>
      ) : (
        <div class="row">
          <label class="labelled">
            <span>{words.diffWith}</span>
            <select value={other.value} onChange={(event) => (other.value = event.currentTarget.value)}>
              <option value="">{words.diffChoose}</option>
              {others.map((one) => (
                <option value={one.id} key={one.id}>
                  {titleOfState(one) + (one === beside ? ` · ${words.diffSibling}` : '')}
                </option>
              ))}
            </select>
          </label>
        </div>
      )}
      {(texts.busy || heads.busy) && <p class="muted">{words.loading}</p>}
      {texts.error !== null && <Trouble error={texts.error} again={texts.again} />}
      {texts.value && chosen && <Texts diff={texts.value} own={titleOfState(state)} other={titleOfState(chosen)} />}
      {heads.error !== null && <Trouble error={heads.error} again={heads.again} />}
      {grid && distance && cosine && (
        <>
          <div class="segments" role="radiogroup" aria-labelledby="state-diff">
            {(['distance', 'cosine'] as const).map((one) => (
              <label key={one}>
                <input type="radio" name="diff" checked={view.value === one} onChange={() => (view.value = one)} />
                <span>{one === 'distance' ? words.diffDistance : words.diffCosine}</span>
              </label>
            ))}
          </div>
          <p class="muted">{words.diffMeans(number(factsOf(distance).mean, 2), number(factsOf(cosine).mean, 2))}</p>
          <Heat grid={grid} name={view.value === 'distance' ? words.diffDistance : words.diffCosine} digits={3} />
        </>
      )}
    </section>
  );
}

function Texts({ diff, own, other }: { diff: Diff; own: string; other: string }): VNode {
  const words = t();
  return (
    <>
      <p>{words.diffCommon(diff.commonBytes)}</p>
      <div class="columns two">
        {[
          [own, diff.own],
          [other, diff.other],
        ].map(([name, text], at) => (
          <div class="column" key={at}>
            <h3 dir="auto">{name}</h3>
            <div class="excerpt" tabIndex={0} role="group" aria-label={name ?? ''} dir="auto">
              {text || <span class="muted">{words.diffNothing}</span>}
            </div>
          </div>
        ))}
      </div>
      {diff.cut && <p class="muted small">{words.diffCut}</p>}
    </>
  );
}
