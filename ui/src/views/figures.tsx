// Facts with a large number each: what it is above, how much below.
import type { VNode } from 'preact';

type Row = readonly [name: string, value: string];

export function Figures({ rows, small = false }: { rows: readonly (Row | false)[]; small?: boolean }): VNode {
  return (
    <dl class={small ? 'figures small' : 'figures'}>
      {rows
        .filter((row) => row !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
    </dl>
  );
}
