// One message of the conversation, with what can be done with it.
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { Icon } from '../app/icon';
import { copyText } from '../app/clipboard';
import { siblingsOf, type Tree } from '../data/tree';
import type { Node } from '../data/types';
import { bytes, t } from '../i18n';
import { branch, goOn, mayWrite, remove, retry } from './actions';
import { AnswerBody } from './answer_body';
import { Editor } from './editor';
import { Foot } from './foot';
import { editing } from './editing';
import type { Run } from './run';
import { goToVersion } from './session';
import { Thought } from './thought';

interface Props {
  node: Node;
  turn: number;
  tree: Tree;
  run: Run | undefined; // of this node
  busy: boolean; // an answer of this chat is being written
}

export function turnName(node: Node, turn: number, tree: Tree): string {
  const words = t();
  if (node.role === 'system') return words.turnSystem;
  if (node.role === 'user') return words.turnYou(turn);
  const siblings = siblingsOf(tree, node);
  return words.turnAnswer(siblings.indexOf(node) + 1, siblings.length, turn);
}

export function Turn({ node, turn, tree, run, busy }: Props): VNode {
  const name = turnName(node, turn, tree);
  const isUser = node.role === 'user';
  return (
    <article class={`turn ${node.role}`} aria-label={name} tabIndex={-1} data-node={node.id}>
      <h3 class="hidden">{name}</h3>
      {editing.value === node.id ? (
        <Editor node={node} />
      ) : (
        <>
          {!isUser && <Thought node={node} run={run} />}
          {node.attachments && (
            <ul class="chips" aria-label={t().attachmentsHeading}>
              {node.attachments.map((one) => (
                <li class="chip" key={one.blob}>
                  <Icon name="file-text" size={14} />
                  <bdi>{one.name}</bdi> <span class="muted">{bytes(one.chars)}</span>
                </li>
              ))}
            </ul>
          )}
          <AnswerBody text={node.content} run={run} part="text" />
          {node.edited && isUser && <p class="small muted">{t().edited}</p>}
        </>
      )}
      {!isUser && node.role !== 'system' && <Foot node={node} run={run} busy={busy} />}
      {editing.value !== node.id && !run && <Actions node={node} tree={tree} busy={busy} />}
    </article>
  );
}

function Actions({ node, tree, busy }: { node: Node; tree: Tree; busy: boolean }): VNode {
  const words = t();
  const bar = useRef<HTMLDivElement>(null);
  const siblings = siblingsOf(tree, node);
  const at = siblings.indexOf(node);
  const writable = mayWrite();

  // One Tab stop: the arrows go on inside.
  const move = (event: KeyboardEvent): void => {
    const buttons = [...(bar.current?.querySelectorAll<HTMLButtonElement>('button') ?? [])];
    const now = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const next = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next === undefined || event.altKey || !buttons[next]) return;
    event.preventDefault();
    for (const button of buttons) button.tabIndex = -1;
    buttons[next].tabIndex = 0;
    buttons[next].focus();
  };
  let first = true;
  const button = (label: string, icon: string, run: () => void, disabled = false, title = label): VNode => {
    const stop = first;
    first = false;
    return (
      <button
        type="button"
        class="button quiet small square"
        aria-label={label}
        title={title}
        aria-disabled={disabled}
        tabIndex={stop ? 0 : -1}
        onClick={() => !disabled && run()}
      >
        <Icon name={icon} size={16} />
      </button>
    );
  };
  const version = (step: number): void => {
    const next = goToVersion(node, step);
    if (next) requestAnimationFrame(() => focusTurn(next.id, step < 0 ? words.previousVersion : words.nextVersion));
  };
  return (
    <div class="actions" role="toolbar" aria-label={words.actions} ref={bar} onKeyDown={move}>
      {button(words.copy, 'copy', () => void copyText(node.content))}
      {button(words.edit, 'pencil', () => (editing.value = node.id), busy || !writable)}
      {button(words.retry, 'refresh-cw', () => void retry(node), busy || !writable)}
      {node.role === 'assistant' &&
        button(
          words.branch,
          'git-branch',
          () => {
            branch(node);
            document.getElementById('message')?.focus();
          },
          busy,
          words.branchTitle,
        )}
      {node.role === 'assistant' && button(words.continue, 'play', () => void goOn(node), busy || !writable)}
      {button(words.delete, 'trash', () => void removeAndFocus(node), !writable)}
      {siblings.length > 1 && (
        <span class="versions">
          {button(words.previousVersion, 'chevron-left', () => version(-1), at === 0)}
          <span class="small">{words.versionOf(at + 1, siblings.length)}</span>
          {button(words.nextVersion, 'chevron-right', () => version(1), at === siblings.length - 1)}
        </span>
      )}
    </div>
  );
}

export function turnElement(id: string): HTMLElement | null {
  return document.querySelector<HTMLElement>(`article[data-node="${CSS.escape(id)}"]`);
}

// To the same button of another version, else to the turn.
export function focusTurn(id: string, label = ''): void {
  const turn = turnElement(id);
  if (!turn) return;
  const button = [...turn.querySelectorAll<HTMLButtonElement>('.actions button')].find(
    (one) => one.getAttribute('aria-label') === label && one.getAttribute('aria-disabled') !== 'true',
  );
  (button ?? turn).focus();
}

// What is deleted takes the focus with it: on to the next turn, else to the message box.
async function removeAndFocus(node: Node): Promise<void> {
  const turn = turnElement(node.id);
  const next = turn?.nextElementSibling ?? turn?.previousElementSibling;
  await remove(node);
  requestAnimationFrame(() => {
    const target = next instanceof HTMLElement && next.isConnected ? next : document.querySelector<HTMLElement>('article.turn:last-of-type');
    (target ?? document.getElementById('message'))?.focus();
  });
}
