// The text of a turn. While it is being written, frames hand it on; what is shown is only ever added to,
// unless the text was changed.
import type { VNode } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { locale } from '../i18n';
import { createTextView, type TextView } from '../text/view';
import type { Run } from './run';
import { attached, grown, toEnd } from './scroll';

interface Props {
  text: string;
  run: Run | undefined;
  part: 'text' | 'reasoning';
}

export function AnswerBody({ text, run, part }: Props): VNode {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<TextView | null>(null);
  const shown = useRef('');
  const ended = useRef(false);

  useLayoutEffect(() => {
    if (!host.current) return;
    view.current = createTextView(host.current, { locale: locale.peek() });
    shown.current = '';
    ended.current = false;
    return () => {
      view.current?.dispose();
      view.current = null;
    };
  }, []);

  useLayoutEffect(() => {
    const show = (all: string): void => {
      if (all === shown.current || !view.current) return;
      if (all.startsWith(shown.current) && !ended.current) view.current.append(all.slice(shown.current.length));
      else {
        view.current.replace(all);
        ended.current = false;
      }
      shown.current = all;
    };
    if (!run) {
      show(text);
      if (!ended.current) view.current?.finish();
      ended.current = true;
      return;
    }
    show(run[part]);
    return run.onShow(() => {
      show(run[part]);
      grown();
    });
  }, [run, text, part]);

  // Text may be drawn later than it came: code gets its colours, a formula its height.
  useLayoutEffect(() => {
    if (!host.current) return;
    const watch = new ResizeObserver(() => (attached.value ? toEnd() : run && grown()));
    watch.observe(host.current);
    return () => watch.disconnect();
  }, [run]);

  return <div class="text" ref={host} />;
}
