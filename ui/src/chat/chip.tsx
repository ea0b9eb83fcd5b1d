// A document beside the message box: one that the chat began with, or a text of the next message.
import type { VNode } from 'preact';
import { Icon } from '../app/icon';
import { t } from '../i18n';

export function Chip({ name, size, onRemove }: { name: string; size: string; onRemove: () => void }): VNode {
  const words = t();
  return (
    <li class="chip">
      <Icon name="file-text" size={14} />
      <bdi>{name}</bdi>
      <span class="muted">{size}</span>
      <button
        type="button"
        class="button quiet small square"
        aria-label={words.removeNamed(name)}
        title={words.remove}
        onClick={onRemove}
      >
        <Icon name="x" size={14} />
      </button>
    </li>
  );
}
