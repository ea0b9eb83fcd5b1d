// Something to unfold, which is made only when it is open: a table of four thousand numbers costs nothing
// to who does not look.
import { useSignal } from '@preact/signals';
import type { ComponentChildren, VNode } from 'preact';

export function Fold({ summary, open = false, onToggle, children }: {
  summary: string;
  open?: boolean;
  onToggle?: (open: boolean) => void;
  children: () => ComponentChildren;
}): VNode {
  const shown = useSignal(open);
  return (
    <details
      class="unfold"
      open={shown.value}
      onToggle={(event) => {
        shown.value = event.currentTarget.open;
        onToggle?.(shown.value);
      }}
    >
      <summary>{summary}</summary>
      {shown.value && children()}
    </details>
  );
}
