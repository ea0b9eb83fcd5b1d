// Where messages are written. The field is its own: nothing of the transcript redraws it, and it is never
// rewritten while an input method composes.
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { belongsToComposition } from '../app/composition';
import { chooseFiles } from '../app/file';
import { Icon } from '../app/icon';
import { isCoarse } from '../app/media';
import { toggleInspector } from '../app/panels';
import { bytes, t } from '../i18n';
import { preferences } from '../app/preferences';
import { mayWrite, send, stop } from './actions';
import { attachFiles, attachText, detach, kPaste } from './attach';
import { attachedTexts, draftOf, flushDraft, saveDraft, saveNow } from './drafts';
import { Chip } from './chip';
import { fitHeight } from './fit_height';
import { Choices } from './model_choices';
import { editing } from './editing';
import { adjust, conversation, isNew, path, run } from './session';
import { jumpToEnd } from './scroll';

export const messageField = (): HTMLTextAreaElement | null =>
  document.getElementById('message') as HTMLTextAreaElement | null;

// Whether there is anything to send; the only thing that follows each key.
const isEmpty = signal(true);

export function fill(text: string): void {
  const field = messageField();
  if (!field) return;
  field.value = text;
  changed(field);
  field.focus();
}

function draftName(): string {
  return isNew.value ? '' : conversation.value.id;
}

function changed(field: HTMLTextAreaElement): void {
  fitHeight(field);
  isEmpty.value = field.value.trim() === '';
  saveDraft(draftName(), field.value);
}

// After something was attached from elsewhere.
export function keepDraft(): void {
  saveNow(draftName(), messageField()?.value ?? '');
}

export function Composer(): VNode {
  const field = useRef<HTMLTextAreaElement>(null);
  const words = t();
  const name = draftName();
  const texts = attachedTexts.value;
  const { mounts } = conversation.value;
  const writing = run.value;
  // A wait for a busy server leaves the way free: a new message ends it.
  const running = writing !== undefined && writing.phase.value.kind !== 'busy';
  const sent = useRef<string | null>(null); // the chat that the message just sent has made

  const mounted = useRef(false);
  useEffect(() => {
    const element = field.current;
    if (!element || sent.current === name) return;
    flushDraft();
    // What was typed before the first draft was there stays.
    if (mounted.current) {
      element.value = '';
      attachedTexts.value = [];
    }
    mounted.current = true;
    let current = true;
    void draftOf(name).then(({ text, attachments }) => {
      if (!current) return;
      if (element.value === '') element.value = text;
      attachedTexts.value = attachments;
      fitHeight(element);
      isEmpty.value = element.value.trim() === '';
    });
    return () => {
      current = false;
    };
  }, [name]);
  // Not on glass, where a keyboard would cover the page, nor away from a turn that was searched for.
  useEffect(() => {
    if (!isCoarse.value && !document.activeElement?.closest('article')) field.current?.focus();
  }, [name]);

  const submit = (): void => {
    const element = field.current;
    if (!element || running || !mayWrite()) return;
    const text = element.value;
    const attachments = attachedTexts.value;
    if (text.trim() === '' && attachments.length === 0) return;
    element.value = '';
    attachedTexts.value = [];
    changed(element);
    flushDraft();
    jumpToEnd();
    element.focus();
    const wasNew = isNew.value;
    void send(text.replace(/\s+$/, ''), attachments);
    if (wasNew) sent.current = conversation.value.id;
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {texts.length + mounts.length > 0 && (
        <ul class="chips" aria-label={words.attachmentsHeading}>
          {mounts.map((one, at) => (
            <Chip
              key={one.state}
              name={one.name}
              size={one.tokens === undefined ? '' : words.tokens(one.tokens)}
              onRemove={() => {
                void adjust((record) => record.mounts.splice(at, 1));
                field.current?.focus();
              }}
            />
          ))}
          {texts.map((one, at) => (
            <Chip
              key={at}
              name={one.name}
              size={bytes(one.text.length)}
              onRemove={() => {
                detach(at);
                saveNow(name, field.current?.value ?? '');
                field.current?.focus();
              }}
            />
          ))}
        </ul>
      )}
      <div class="field">
        <textarea
          id="message"
          ref={field}
          rows={1}
          aria-label={words.message}
          placeholder={words.message}
          enterkeyhint={isCoarse.value ? 'enter' : 'send'}
          autocomplete="off"
          onInput={(event) => changed(event.currentTarget)}
          onPaste={(event) => {
            const text = event.clipboardData?.getData('text/plain') ?? '';
            const files = [...(event.clipboardData?.files ?? [])];
            if (files.length > 0) {
              event.preventDefault();
              void attachFiles(files).then(() => saveNow(name, field.current?.value ?? ''));
            } else if (text.length > kPaste) {
              event.preventDefault();
              attachText(words.pastedText, text);
              saveNow(name, event.currentTarget.value);
            }
          }}
          onKeyDown={(event) => {
            if (belongsToComposition(event)) return;
            if (event.key === 'Enter' && !event.shiftKey && !event.altKey) {
              // On glass Enter makes a line and Send sends.
              const sends = preferences.value.enterSends && !isCoarse.value;
              if (!sends && !event.ctrlKey && !event.metaKey) return;
              event.preventDefault();
              submit();
            } else if (event.key === 'ArrowUp' && !event.altKey && !event.shiftKey && event.currentTarget.value === '' && !running) {
              const last = path.value.findLast((node) => node.role === 'user');
              if (!last) return;
              event.preventDefault();
              editing.value = last.id;
            }
          }}
        />
        {running ? (
          <button type="button" class="button primary square" aria-label={words.stop} title={words.stop} onClick={stop}>
            <Icon name="square" />
          </button>
        ) : (
          <button
            class="button primary square"
            aria-label={words.send}
            title={words.send}
            aria-disabled={(isEmpty.value && texts.length === 0) || !mayWrite()}
          >
            <Icon name="arrow-up" />
          </button>
        )}
      </div>
      <div class="row composer-row">
        <button
          type="button"
          class="button quiet small"
          aria-label={words.addDocument}
          title={words.addDocument}
          onClick={() =>
            void chooseFiles('', true)
              .then(attachFiles)
              .then(() => saveNow(name, field.current?.value ?? ''))
          }
        >
          <Icon name="file-text" size={16} />
          <span class="on-wide">{words.addDocument}</span>
        </button>
        <Choices />
        <button
          type="button"
          class="button quiet small square"
          aria-label={words.settings}
          title={words.settings}
          onClick={() => toggleInspector('settings')}
        >
          <Icon name="settings-2" size={16} />
        </button>
      </div>
    </form>
  );
}
