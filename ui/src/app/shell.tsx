import type { VNode } from 'preact';
import { t } from '../i18n';

export function Shell(): VNode {
  return (
    <div class="app">
      <header class="header">
        <h1>{t().appName}</h1>
      </header>
    </div>
  );
}
