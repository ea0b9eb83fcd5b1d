import { icons } from 'skein:icons';
import { h } from 'preact';
import type { VNode } from 'preact';

export type IconName = string;

// Drawings say nothing to a screen reader: the control that has one has a name.
export function Icon({ name, size = 18 }: { name: IconName; size?: number }): VNode {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {(icons[name] ?? []).map(([tag, attributes], at) => h(tag, { key: at, ...attributes }))}
    </svg>
  );
}
