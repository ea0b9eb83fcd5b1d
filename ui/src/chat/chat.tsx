// The conversation: what was said, and where one writes. Files may be dropped anywhere on it.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { t } from '../i18n';
import { keyTrouble } from '../net/key';
import { attachFiles } from './attach';
import { Composer, keepDraft } from './composer';
import { KeyForm } from './key_form';
import { missing, path } from './session';
import { Transcript } from './transcript';
import { Welcome } from './welcome';

const bringsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;

export function Chat(): VNode {
  const dragging = useSignal(0);
  if (keyTrouble.value !== '') return <KeyForm />;
  return (
    <div
      class="chat"
      onDragEnter={(event) => {
        if (bringsFiles(event)) dragging.value += 1;
      }}
      onDragLeave={(event) => {
        if (bringsFiles(event)) dragging.value = Math.max(0, dragging.value - 1);
      }}
      onDragOver={(event) => bringsFiles(event) && event.preventDefault()}
      onDrop={(event) => {
        if (!bringsFiles(event)) return;
        event.preventDefault();
        dragging.value = 0;
        void attachFiles([...(event.dataTransfer?.files ?? [])]).then(keepDraft);
      }}
    >
      {missing.value && <p class="bar">{t().chatGone}</p>}
      {path.value.length === 0 ? <Welcome /> : <Transcript />}
      <Composer />
      {dragging.value > 0 && (
        <div class="drop" aria-hidden="true">
          {t().dropHere}
        </div>
      )}
    </div>
  );
}
