import type { VNode } from 'preact';
import { t } from '../i18n';

export default function Settings(): VNode {
  return <h2>{t().settings}</h2>;
}
