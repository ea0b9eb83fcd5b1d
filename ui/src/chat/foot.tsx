// What is said below an answer: how it came about, and where it failed in which words and what can be done.
import type { ComponentChildren, VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Node } from '../data/types';
import { bytes, t } from '../i18n';
import { modelNamed } from '../net/boot';
import { isRecord, textOf } from '../net/errors';
import { goOn, retry } from './actions';
import type { Run } from './run';

export function Foot({ node, run, busy }: { node: Node; run: Run | undefined; busy: boolean }): VNode | null {
  if (run) return <Waiting run={run} />;
  const words = t();
  const ways = (
    <>
      {node.content + node.reasoning !== '' && (
        <button type="button" class="button small" disabled={busy} onClick={() => void goOn(node)}>
          {words.continue}
        </button>
      )}
      <button type="button" class="button small" disabled={busy} onClick={() => void retry(node)}>
        {words.retry}
      </button>
    </>
  );
  const failure = node.status === 'broken' || node.status === 'error' ? failureIn(node) : null;
  if (failure) {
    return (
      <div class="foot">
        <Trouble said={failure.said} ways={ways}>
          {node.status === 'broken' ? <strong>{words.interrupted}</strong> : <strong>{failure.words}</strong>}
        </Trouble>
      </div>
    );
  }
  if (node.status === 'streaming') return <p class="foot muted">{words.answering}</p>;
  return (
    <div class="foot">
      <p class="facts muted">{facts(node).join(' · ')}</p>
      {node.finishReason === 'length' && (
        <p class="row">
          {words.cut}
          <button type="button" class="button small" disabled={busy} onClick={() => void goOn(node)}>
            {words.continue}
          </button>
        </p>
      )}
      {node.status === 'done' && node.content.trim() === '' && <p>{words.emptyAnswer}</p>}
    </div>
  );
}

function facts(node: Node): string[] {
  const words = t();
  const out: string[] = [];
  if (node.status === 'stopped') out.push(words.stopped);
  const { usage, timings, state } = node;
  if (usage) out.push(words.tokens(usage.completion));
  if (timings?.perSecond && timings.perSecond > 0) out.push(words.speed(Math.round(timings.perSecond)));
  const size = state?.bytes ?? (state ? modelNamed(node.model ?? '')?.stateBytes : undefined);
  if (size) out.push(words.stateSize(bytes(size)));
  if (usage) {
    const read = usage.prompt - usage.cached;
    if (node.from === 'state') out.push(words.continued);
    else if (read > 0) out.push(node.from === 'text' ? words.reread(read) : words.read(read));
  }
  if (node.edited) out.push(words.edited);
  return out;
}

function failureIn(node: Node): { words: string; said: string } {
  const words = t();
  let raw: unknown = null;
  try {
    raw = JSON.parse(node.error ?? 'null');
  } catch {
    // An imported node may say anything.
  }
  const trouble = isRecord(raw) ? textOf(raw['trouble']) : '';
  const said = isRecord(raw) ? textOf(raw['said']) : '';
  const param = isRecord(raw) ? textOf(raw['param']) : '';
  const by: Record<string, string> = {
    offline: words.noServer,
    key: words.keyNeeded,
    role: words.mayNot,
    busy: words.failed,
    size: words.tooLong,
    field: param ? words.badField(param) : words.badRequest,
    strange: words.notAnswer,
  };
  return { words: by[trouble] ?? words.failed, said };
}

export function Trouble({ said, ways, children }: { said: string; ways: ComponentChildren; children: ComponentChildren }): VNode {
  return (
    <div class="trouble">
      <p>{children}</p>
      {said !== '' && (
        <p class="small said">
          <span class="muted">{t().serverSays}: </span>
          {said}
        </p>
      )}
      <div class="row">{ways}</div>
    </div>
  );
}

function Waiting({ run }: { run: Run }): VNode | null {
  const words = t();
  const phase = run.phase.value;
  if (run.rereads.value > 0 && (phase.kind === 'sending' || phase.kind === 'slow'))
    return <p class="foot muted">{words.willReread(run.rereads.value)}</p>;
  if (phase.kind === 'busy') return <Busy run={run} until={phase.until} said={phase.said} />;
  if (phase.kind === 'loading')
    return (
      <div class="foot">
        <p>{words.modelLoading}</p>
        {phase.said && <p class="small muted">{phase.said}</p>}
      </div>
    );
  if (phase.kind === 'reading') return <p class="foot muted">{words.stillReading(phase.percent)}</p>;
  if (phase.kind === 'slow') return <p class="foot muted">{words.stillWaiting}</p>;
  if (phase.kind === 'sending') return <p class="foot muted pulse">…</p>;
  return null;
}

function Busy({ run, until, said }: { run: Run; until: number; said: string }): VNode {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, []);
  const words = t();
  return (
    <div class="foot">
      <Trouble
        said={said}
        ways={
          <>
            <button type="button" class="button small" onClick={() => run.tryNow()}>
              {words.tryNow}
            </button>
            <button type="button" class="button small" onClick={() => run.stop()}>
              {words.giveUp}
            </button>
          </>
        }
      >
        <strong>{words.busy(Math.max(0, Math.ceil((until - now) / 1000)))}</strong>
      </Trouble>
    </div>
  );
}
