// What the model thought before it answered: folded, with a count. Whoever opens it keeps it open.
import type { VNode } from 'preact';
import { useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { Node } from '../data/types';
import { seconds, t } from '../i18n';
import { AnswerBody } from './answer_body';
import type { Run } from './run';

export function Thought({ node, run }: { node: Node; run: Run | undefined }): VNode | null {
  const open = useSignal(false);
  const details = useRef<HTMLDetailsElement>(null);
  // Read so that the count runs with the frames.
  run?.pieces.value;
  const text = run ? run.reasoning : node.reasoning;
  if (text === '') return null;
  const thinking = run?.phase.value.kind === 'thinking';
  // The server counts thoughts at the end; until then four bytes are about a token.
  const tokens = node.usage?.reasoning || run?.usage?.reasoning || Math.ceil(text.length / 4);
  const ms = run ? run.thinkMs : (node.thinkMs ?? 0);
  return (
    <details class="thought" ref={details} open={open.value} onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>{thinking ? t().thinkingNow(tokens) : t().thoughtFor(seconds(ms), tokens)}</summary>
      {open.value && (
        <>
          <AnswerBody text={text} run={run} part="reasoning" />
          <button
            type="button"
            class="button quiet small"
            onClick={() => {
              open.value = false;
              details.current?.querySelector('summary')?.focus();
            }}
          >
            {t().closeThought}
          </button>
        </>
      )}
    </details>
  );
}
