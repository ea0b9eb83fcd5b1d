import { effect } from '@preact/signals';
import { localeTag } from '../i18n';
import { createFormulas } from './formula';
import type { TextNode } from './nodes';
import { sayAgain } from './parts';
import { patch, type Mounted } from './patch';
import { languageOfText } from './script';
import { TextStream, type Change } from './stream';

// Shows Markdown that grows inside `host`, which is its own. Called at most once a frame. A piece
// that is more than a frame's work is shown over several of them.
export interface TextView {
  append(text: string): void;
  finish(): void;
  replace(text: string): void;
  dispose(): void;
}

// Blocks stand in parts; what is off the screen is not laid out.
const BLOCKS_IN_A_PART = 50;
const PIECE = 8192;
const LARGEST_PIECE = 65_536;
const FRAME_MS = 8;
// A tail that is expensive to parse (one list of 100 KB) may have a third of the time.
const REST_FOR_WORK = 2;
const LONGEST_REST_MS = 400;

interface Part {
  dom: HTMLElement;
  mounted: Mounted[];
}

export function createTextView(host: HTMLElement, _options: { locale: string }): TextView {
  let stream = new TextStream();
  let parts: Part[] = [];
  let formulas = createFormulas();
  let pending = '';
  let beginning = '';
  let ended = false;
  let restUntil = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let gone = false;
  host.classList.add('tx');
  host.replaceChildren();
  const stopListening = effect(() => {
    void localeTag.value;
    sayAgain(host);
  });

  function apply({ kept, blocks }: Change): void {
    let from = Math.floor(kept / BLOCKS_IN_A_PART);
    const first = parts[from];
    // Blocks before `kept` in the same part stand as they are.
    let todo: TextNode[] = [
      ...(first ? first.mounted.slice(0, kept - from * BLOCKS_IN_A_PART).map(({ node }) => node) : []),
      ...blocks,
    ];
    while (todo.length > 0) {
      const part = (parts[from] ??= newPart());
      patch(part.dom, part.mounted, todo.slice(0, BLOCKS_IN_A_PART), formulas);
      todo = todo.slice(BLOCKS_IN_A_PART);
      from += 1;
    }
    for (const { dom, mounted } of parts.splice(from)) {
      patch(dom, mounted, [], formulas);
      dom.remove();
    }
  }

  function newPart(): Part {
    parts[parts.length - 1]?.dom.classList.add('tx-still');
    const dom = document.createElement('div');
    dom.className = 'tx-part';
    host.append(dom);
    return { dom, mounted: [] };
  }

  function tellLanguage(piece: string): void {
    if (beginning.length >= 4096) return;
    beginning = (beginning + piece).slice(0, 4096);
    const language = languageOfText(beginning);
    if (language === '' || language === localeTag.value) host.removeAttribute('lang');
    else host.lang = language;
  }

  function pump(): void {
    timer = undefined;
    const begun = performance.now();
    while (pending !== '') {
      // Of a long text larger pieces, since each costs a parse of the tail.
      const piece = pending.slice(0, Math.min(LARGEST_PIECE, Math.max(PIECE, pending.length >> 4)));
      pending = pending.slice(piece.length);
      tellLanguage(piece);
      apply(stream.append(piece));
      if (performance.now() - begun > FRAME_MS) break;
    }
    const spent = performance.now() - begun;
    restUntil = begun + spent + Math.min(LONGEST_REST_MS, spent * REST_FOR_WORK);
    if (pending !== '') later(Math.min(LONGEST_REST_MS, spent * REST_FOR_WORK));
    else if (ended) end();
  }

  function later(ms: number): void {
    timer ??= setTimeout(pump, ms);
  }

  function end(): void {
    apply(stream.finish());
    if (stream.needsWhole()) whenIdle(() => apply(stream.whole()));
  }

  function whenIdle(work: () => void): void {
    const now = stream;
    const run = (): void => {
      if (!gone && now === stream) work();
    };
    if ('requestIdleCallback' in window) requestIdleCallback(run, { timeout: 2000 });
    else setTimeout(run, 200);
  }

  function append(text: string): void {
    if (text === '') return;
    pending += text;
    const rest = restUntil - performance.now();
    // What takes no time is shown at once; a piece that is half a millisecond's work needs no rest.
    if (timer === undefined && rest < 4) pump();
    else later(rest);
  }

  return {
    append,
    finish() {
      ended = true;
      if (pending === '') end();
    },
    replace(text) {
      clearTimeout(timer);
      timer = undefined;
      restUntil = 0;
      apply({ kept: 0, blocks: [] });
      formulas.dispose();
      formulas = createFormulas();
      stream = new TextStream();
      parts.splice(0).forEach(({ dom }) => dom.remove());
      pending = beginning = '';
      ended = false;
      append(text);
    },
    dispose() {
      gone = true;
      clearTimeout(timer);
      stopListening();
      apply({ kept: 0, blocks: [] });
      formulas.dispose();
      host.replaceChildren();
    },
  };
}
