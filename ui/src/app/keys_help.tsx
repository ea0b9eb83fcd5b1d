import type { VNode } from 'preact';
import { t } from '../i18n';
import { keysOpen } from './panels';
import { Sheet } from './sheet';

const command = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘' : 'Ctrl';

export function KeysHelp(): VNode {
  const words = t();
  const keys: [string, string][] = [
    ['Enter', words.keys.send],
    ['Shift+Enter', words.keys.line],
    ['Esc', words.keys.stop],
    ['↑', words.keys.editLast],
    ['/', words.keys.focus],
    [`${command}+K`, words.keys.search],
    [`${command}+Shift+O`, words.keys.newChat],
    ['Alt+↑ ↓', words.keys.turns],
    ['Alt+← →', words.keys.versions],
    ['E R C B', words.keys.letters],
    ['?', words.keys.help],
  ];
  return (
    <Sheet title={words.keyboardHelp} open={keysOpen.value} side="middle" onClose={() => (keysOpen.value = false)}>
      <dl class="keys">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Sheet>
  );
}
