// The one thing a server with keys asks for, in place of the conversation.
import type { VNode } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n';
import { loadModels } from '../net/boot';
import { keyTrouble, useKey } from '../net/key';

export function KeyForm(): VNode {
  const field = useRef<HTMLInputElement>(null);
  const words = t();
  const wrong = keyTrouble.value === 'wrong';
  useEffect(() => field.current?.focus(), [keyTrouble.value]);
  return (
    <form
      class="key-form stack"
      onSubmit={(event) => {
        event.preventDefault();
        const data = new FormData(event.currentTarget);
        const value = String(data.get('key') ?? '').trim();
        if (value === '') return;
        useKey(value, data.get('remember') !== null);
        if (field.current) field.current.value = '';
        void loadModels().catch(() => {});
      }}
    >
      <input type="text" name="username" autocomplete="username" hidden />
      <p role={wrong ? 'alert' : undefined} id="key-trouble">
        {wrong ? words.keyWrong : words.keyNeeded}
      </p>
      <label class="stack">
        {words.apiKey}
        <input
          ref={field}
          type="password"
          name="key"
          autocomplete="current-password"
          aria-invalid={wrong}
          aria-describedby="key-trouble"
          required
        />
      </label>
      <label class="check">
        <input type="checkbox" name="remember" />
        {words.remember}
      </label>
      <div>
        <button class="button primary">{words.useKey}</button>
      </div>
    </form>
  );
}
