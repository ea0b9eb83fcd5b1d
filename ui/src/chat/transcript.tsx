// The turns from the first to where one is. The newest are built first, older ones when somebody wants
// them, so that a chat of a thousand turns opens as fast as one of ten.
import type { VNode } from 'preact';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { Icon } from '../app/icon';
import { childrenOf, countElsewhere, leafBelow, subtreeOf } from '../data/tree';
import { t } from '../i18n';
import { attach, attached, detach, follow, jumpToEnd, linesBelow, toEnd } from './scroll';
import { conversation, goTo, marked, path, run, tree } from './session';
import { Turn, turnElement } from './turn';

const kAtOnce = 30;

export function Transcript(): VNode {
  const box = useRef<HTMLDivElement>(null);
  const turns = path.value;
  const known = tree.value;
  const writing = run.value;
  const conv = conversation.value.id;
  const shown = useSignal(kAtOnce);
  const from = Math.max(0, turns.length - shown.value);
  const target = turns.at(-1)?.id ?? '';

  useEffect(() => (box.current ? follow(box.current) : undefined), []);
  useLayoutEffect(() => {
    shown.value = kAtOnce;
    attach();
    toEnd();
  }, [conv]);
  // A new turn at the end: whoever sent it wants to see it. A retry in the middle moves nothing.
  const count = useRef(0);
  useLayoutEffect(() => {
    if (turns.length > count.current) attach();
    count.current = turns.length;
    if (attached.value) toEnd();
  }, [target]);

  // What a search has found is shown and has the focus, however far up it is.
  const found = marked.value;
  useLayoutEffect(() => {
    const at = turns.findIndex((node) => node.id === found);
    if (at < 0) return;
    shown.value = Math.max(shown.value, turns.length - at + 2);
    const frame = requestAnimationFrame(() => {
      marked.value = null;
      const turn = turnElement(found!);
      detach();
      turn?.scrollIntoView({ block: 'center' });
      turn?.focus({ preventScroll: true });
    });
    return () => cancelAnimationFrame(frame);
  }, [found, turns.length]);

  const showOlder = (): void => {
    const element = box.current;
    if (!element || from === 0) return;
    const before = element.scrollHeight - element.scrollTop;
    shown.value += kAtOnce;
    requestAnimationFrame(() => (element.scrollTop = element.scrollHeight - before));
  };

  let turn = turns.slice(0, from).filter((node) => node.role === 'user').length;
  return (
    <div class="scroller">
      <div
        class="transcript"
        role="log"
        aria-live="off"
        aria-label={t().conversation}
        tabIndex={0}
        ref={box}
        id="transcript"
        onScroll={(event) => event.currentTarget.scrollTop < 200 && from > 0 && showOlder()}
      >
        {from > 0 && (
          <button type="button" class="button quiet older" onClick={showOlder}>
            {t().showOlder(from)}
          </button>
        )}
        {turns.slice(from).map((node) => {
          if (node.role === 'user') turn += 1;
          return (
            <Turn
              key={node.id}
              node={node}
              turn={Math.max(1, turn)}
              tree={known}
              run={writing?.node.id === node.id ? writing : undefined}
              busy={writing !== undefined}
            />
          );
        })}
        <Elsewhere />
      </div>
      {!attached.value && (
        <button type="button" class="button jump" onClick={jumpToEnd}>
          <Icon name="arrow-down" />
          {t().jumpToLatest}
          {linesBelow.value > 0 && <span class="small muted">{t().newLines(linesBelow.value)}</span>}
        </button>
      )}
    </div>
  );
}

// What is not shown is not gone: messages behind this place, or beside it.
function Elsewhere(): VNode | null {
  const turns = path.value;
  const last = turns.at(-1);
  const elsewhere = countElsewhere(tree.value, turns);
  if (!last || elsewhere === 0) return null;
  const behind = childrenOf(tree.value, last.id).length > 0;
  return (
    <p class="elsewhere small muted">
      {t().onOtherBranch(behind ? subtreeOf(tree.value, last.id).length - 1 : elsewhere)}
      {behind && (
        <button
          type="button"
          class="button quiet small"
          onClick={() => goTo(leafBelow(tree.value, last.id, conversation.value.lastLeaf))}
        >
          {t().goThere}
        </button>
      )}
    </p>
  );
}
