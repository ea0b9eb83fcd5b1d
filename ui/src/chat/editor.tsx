// Changes the text of a turn: as another version beside it, or where it stands.
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { belongsToComposition } from '../app/composition';
import { isCoarse } from '../app/media';
import type { Node } from '../data/types';
import { t } from '../i18n';
import { editAndAnswer, fixText } from './actions';
import { editing } from './editing';
import { fitHeight } from './fit_height';
import { run } from './session';
import { focusTurn } from './turn';

export function Editor({ node }: { node: Node }): VNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const words = t();
  const isUser = node.role === 'user';
  useEffect(() => {
    const element = field.current;
    if (!element) return;
    fitHeight(element);
    element.focus();
    element.setSelectionRange(element.value.length, element.value.length);
  }, []);
  const close = (): void => {
    editing.value = null;
    requestAnimationFrame(() => focusTurn(node.id));
  };
  const save = (answer: boolean): void => {
    const text = field.current?.value ?? '';
    if (answer && run.value) return;
    editing.value = null;
    if (answer) void editAndAnswer(node, text);
    else void fixText(node, text).then(() => focusTurn(node.id));
  };
  return (
    <form
      class="editor"
      onSubmit={(event) => {
        event.preventDefault();
        save(true);
      }}
    >
      <textarea
        ref={field}
        aria-label={isUser ? words.editMessage : words.editAnswer}
        defaultValue={node.content}
        onInput={(event) => fitHeight(event.currentTarget)}
        onKeyDown={(event) => {
          if (belongsToComposition(event)) return;
          if (event.key === 'Escape') {
            event.stopPropagation();
            close();
          } else if (event.key === 'Enter' && !event.shiftKey && !isCoarse.value) {
            event.preventDefault();
            save(true);
          }
        }}
      />
      <div class="row">
        <button class="button primary">{isUser ? words.saveAndAnswer : words.saveAndContinue}</button>
        <button type="button" class="button" title={words.fixText} onClick={() => save(false)}>
          {words.save}
        </button>
        <button type="button" class="button quiet" onClick={close}>
          {words.discard}
        </button>
      </div>
    </form>
  );
}
