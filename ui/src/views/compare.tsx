// Two to four answers to the same question, side by side.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { retry } from '../chat/actions';
import { AnswerBody } from '../chat/answer_body';
import { conversation, goTo, isNew, path, run, tree } from '../chat/session';
import { go } from '../app/router';
import { childrenOf, leafBelow, parentOf, siblingsOf } from '../data/tree';
import type { Node } from '../data/types';
import { t } from '../i18n';
import type { ViewProps } from './registry';

const MOST = 4;

// Turns of the path that is shown which have an answer, with all its versions.
interface Turn {
  question: Node | null;
  answers: readonly Node[];
  shown: Node;
}

function turnsOf(): Turn[] {
  return path.value
    .filter(({ role }) => role === 'assistant')
    .map((node) => ({
      question: parentOf(tree.value, node),
      answers: siblingsOf(tree.value, node).filter(({ role }) => role === 'assistant'),
      shown: node,
    }));
}

export default function Compare({ args }: ViewProps): VNode {
  const words = t();
  const turns = turnsOf();
  const wanted = useSignal(args[0] ?? '');
  const left = useSignal<string[]>([]); // answers that are not looked at
  const most = turns.reduce((best, turn) => (turn.answers.length >= 2 ? turn : best), turns.at(-1));
  const turn = turns.find(({ answers, shown }) => shown.id === wanted.value || answers.some(({ id }) => id === wanted.value)) ?? most;
  if (!turn)
    return (
      <div class="empty">
        <p>{words.compareNone}</p>
        <button type="button" class="button" onClick={() => go('')}>
          {words.stateGoChat}
        </button>
      </div>
    );
  const shown = turn.answers.filter(({ id }) => !left.value.includes(id)).slice(-MOST);
  const running = run.value;
  return (
    <div class="stack">
      <div class="row">
        <label class="labelled">
          <span>{words.compareTurn}</span>
          <select value={turn.shown.id} onChange={(event) => (wanted.value = event.currentTarget.value)}>
            {turns.map(({ question, shown: one, answers }, at) => (
              <option value={one.id} key={one.id}>
                {`${at + 1}. ${(question?.content ?? '').replace(/\s+/g, ' ').slice(0, 60)} (${answers.length})`}
              </option>
            ))}
          </select>
        </label>
        <button type="button" class="button" disabled={running !== undefined} onClick={() => void retry(turn.shown)}>
          {words.compareAnother}
        </button>
      </div>
      {turn.question && (
        <div class="excerpt question" tabIndex={0} role="group" aria-label={words.you} dir="auto">
          {turn.question.content}
        </div>
      )}
      {turn.answers.length < 2 && <p class="muted">{words.compareOne}</p>}
      {turn.answers.length > MOST && (
        <fieldset class="row">
          <legend class="small">{words.compareWhich}</legend>
          {turn.answers.map((node, at) => (
            <label class="check" key={node.id}>
              <input
                type="checkbox"
                checked={shown.includes(node)}
                disabled={!shown.includes(node) && shown.length >= MOST}
                onChange={(event) => {
                  // Exactly those that are ticked from now on.
                  const ticked = new Set(shown.map(({ id }) => id));
                  if (event.currentTarget.checked) ticked.add(node.id);
                  else ticked.delete(node.id);
                  left.value = turn.answers.map(({ id }) => id).filter((id) => !ticked.has(id));
                }}
              />
              <span>{at + 1}</span>
            </label>
          ))}
        </fieldset>
      )}
      <div class={`columns ${['', 'one', 'two', 'three', 'four'][shown.length] ?? ''}`}>
        {shown.map((node) => (
          <Answer
            key={node.id}
            node={node}
            name={words.turnAnswer(turn.answers.indexOf(node) + 1, turn.answers.length, turns.indexOf(turn) + 1)}
            current={node.id === turn.shown.id}
          />
        ))}
      </div>
    </div>
  );
}

function Answer({ node, name, current }: { node: Node; name: string; current: boolean }): VNode {
  const words = t();
  const writing = run.value?.node.id === node.id ? run.value : undefined;
  const settings = Object.entries(node.settings ?? {}).map(([key, value]) => `${key} ${String(value)}`);
  const facts = [
    node.usage ? words.tokens(node.usage.completion) : '',
    node.timings?.perSecond ? words.speed(Math.round(node.timings.perSecond)) : '',
    node.model ?? '',
    ...settings,
  ].filter((part) => part !== '');
  return (
    <article class={`column answer ${current ? 'current' : ''}`} aria-label={name}>
      <h3>
        {name}
        {current && <span class="tag">{words.compareCurrent}</span>}
      </h3>
      <AnswerBody text={node.content} run={writing} part="text" />
      <p class="muted small" dir="auto">
        {facts.join(' · ')}
      </p>
      <div class="row">
        <button
          type="button"
          class="button small"
          aria-label={words.compareGoOnNamed(name)}
          onClick={() => {
            goTo(leafBelow(tree.value, node.id, conversation.value.lastLeaf));
            if (!isNew.value) go('c', conversation.value.id, node.id);
          }}
        >
          {childrenOf(tree.value, node.id).length > 0 ? words.compareOpen : words.compareGoOn}
        </button>
      </div>
    </article>
  );
}
