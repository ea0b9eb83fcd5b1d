import type { VNode } from 'preact';
import { t } from '../i18n';

export function Sampler(): VNode {
  return <p>{t().samplerHeading}</p>;
}
