// What lies beside a chat: for now its settings.
import type { VNode } from 'preact';
import type { Inspector } from '../app/panels';
import { Sampler } from './sampler';

export function Panel({ which }: { which: Inspector }): VNode | null {
  return which === 'settings' ? <Sampler /> : null;
}
