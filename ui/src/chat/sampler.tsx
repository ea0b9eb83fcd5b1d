// How answers are chosen, in sliders that say what they do. What is not changed here is the profile's, and
// what that does not say is the model's own.
import { useSignal } from '@preact/signals';
import type { VNode } from 'preact';
import { useId } from 'preact/hooks';
import { Sheet } from '../app/sheet';
import { copyText } from '../app/clipboard';
import type { Settings } from '../data/types';
import { locale, number, t } from '../i18n';
import { addressOf } from '../net/api';
import { extraOf, presetOf, presets, settingsOf } from './profiles';
import { makeRequest } from './request';
import { adjust, conversation, path } from './session';
import { amounts, sliders, type Amount, type Slider } from './sliders';
import { newId } from '../data/types';
import { thinkModes } from './think';

function set(name: string, value: Settings[string] | undefined): void {
  void adjust((record) => {
    if (value === undefined) delete record.settings[name];
    else record.settings[name] = value;
  });
}

export function Sampler(): VNode {
  const words = t();
  const chat = conversation.value;
  const preset = presetOf(chat.profile);
  const shownRequest = useSignal(false);
  return (
    <div class="sampler stack">
      <label class="stack tight">
        {words.profile}
        <select value={chat.profile} onChange={({ currentTarget }) => void adjust((record) => (record.profile = currentTarget.value))}>
          {presets.map((one) => (
            <option key={one.id} value={one.id}>
              {one[locale.value]}
            </option>
          ))}
        </select>
      </label>
      {preset.source && <p class="small muted">{words.source(preset.source)}</p>}
      <label class="stack tight">
        {words.thinking}
        <select value={chat.think} onChange={({ currentTarget }) => void adjust((record) => (record.think = currentTarget.value))}>
          {thinkModes.map((mode) => (
            <option key={mode} value={mode}>
              {words.thinkNames[mode]}
            </option>
          ))}
        </select>
      </label>
      <p class="small muted">{words.thinkHelp[chat.think as keyof typeof words.thinkHelp]}</p>
      <TextSetting
        label={words.instructions}
        help={words.instructionsHelp}
        value={chat.instructions}
        onChange={(value) => void adjust((record) => (record.instructions = value))}
      />
      <h3>{words.samplerHeading}</h3>
      {sliders.filter((slider) => !slider.expert).map((slider) => <SliderRow key={slider.name} slider={slider} />)}
      {settingsOf(chat.profile, chat.settings)['temperature'] === 0 && <p class="small note">{words.greedyNote}</p>}
      <p class="small muted">{words.sampleOrder}</p>
      <details class="fold">
        <summary>{words.expertHeading}</summary>
        <div class="stack">
          {sliders.filter((slider) => slider.expert).map((slider) => <SliderRow key={slider.name} slider={slider} />)}
          {amounts.map((amount) => <AmountRow key={amount.name} amount={amount} />)}
          <TextSetting
            label={words.samplers.stop[0]!}
            help={words.samplers.stop[1]!}
            value={Array.isArray(chat.settings['stop']) ? chat.settings['stop'].join('\n') : ''}
            onChange={(value) => set('stop', value === '' ? undefined : value.split('\n').filter((line) => line !== ''))}
          />
          <TextSetting
            label={words.samplers.extra[0]!}
            help={words.samplers.extra[1]!}
            value={typeof chat.settings['extra'] === 'string' ? chat.settings['extra'] : ''}
            wrong={(value) => (extraOf(value) ? '' : words.badJson)}
            onChange={(value) => set('extra', value.trim() === '' ? undefined : value)}
          />
        </div>
      </details>
      <div>
        <button type="button" class="button" onClick={() => (shownRequest.value = true)}>
          {words.showRequest}
        </button>
      </div>
      <Sheet title={words.showRequest} open={shownRequest.value} side="middle" onClose={() => (shownRequest.value = false)}>
        <Request />
      </Sheet>
    </div>
  );
}

function SliderRow({ slider }: { slider: Slider }): VNode {
  const { name, low, high, step } = slider;
  const words = t();
  const help = useId();
  const chat = conversation.value;
  const [label, explained] = words.samplers[name] as [string, string];
  const changed = chat.settings[name];
  const value = typeof changed === 'number' ? changed : presetOf(chat.profile).values[name];
  const digits = step < 0.01 ? 3 : step < 1 ? 2 : 0;
  const take = (text: string): void => {
    const next = Number(text);
    set(name, text === '' || !Number.isFinite(next) ? undefined : Math.min(high, Math.max(low, next)));
  };
  return (
    <div class="slider" role="group" aria-label={label}>
      <div class="slider-head">
        <span class="slider-name">
          {label}
          {changed !== undefined && <span class="dot" role="img" aria-label={words.changed} />}
        </span>
        {changed !== undefined && (
          <button type="button" class="button quiet small" aria-label={words.resetNamed(label)} onClick={() => set(name, undefined)}>
            {words.reset}
          </button>
        )}
        <input
          type="number"
          aria-label={label}
          aria-describedby={help}
          min={low}
          max={high}
          step={step}
          placeholder={words.ownValue}
          value={value === undefined ? '' : String(value)}
          onChange={({ currentTarget }) => take(currentTarget.value)}
        />
      </div>
      <input
        type="range"
        aria-label={label}
        aria-describedby={help}
        aria-valuetext={value === undefined ? words.ownValue : number(value, digits)}
        min={low}
        max={high}
        step={step}
        value={value ?? (low + high) / 2}
        class={value === undefined ? 'unset' : ''}
        onInput={({ currentTarget }) => take(currentTarget.value)}
      />
      <p class="small muted" id={help}>
        {explained} {words.range(number(low, digits), number(high, digits))}
      </p>
    </div>
  );
}

function AmountRow({ amount }: { amount: Amount }): VNode {
  const { name, low, high } = amount;
  const help = useId();
  const [label, explained] = t().samplers[name] as [string, string];
  const value = conversation.value.settings[name];
  return (
    <div class="slider">
      <label class="slider-head">
        <span class="slider-name">{label}</span>
        <input
          type="number"
          aria-describedby={help}
          min={low}
          max={high}
          step={1}
          value={typeof value === 'number' ? String(value) : ''}
          onChange={({ currentTarget }) => {
            const next = Math.round(Number(currentTarget.value));
            set(name, currentTarget.value === '' || !Number.isFinite(next) ? undefined : Math.min(high, Math.max(low, next)));
          }}
        />
      </label>
      <p class="small muted" id={help}>
        {explained}
      </p>
    </div>
  );
}

interface TextProps {
  label: string;
  help: string;
  value: string;
  wrong?: (value: string) => string;
  onChange: (value: string) => void;
}

function TextSetting({ label, help, value, wrong, onChange }: TextProps): VNode {
  const id = useId();
  const trouble = useSignal(wrong?.(value) ?? '');
  return (
    <div class="stack tight">
      <label class="stack tight">
        {label}
        <textarea
          rows={2}
          class="setting"
          aria-describedby={id}
          aria-invalid={trouble.value !== ''}
          key={conversation.value.id}
          defaultValue={value}
          onChange={({ currentTarget }) => {
            trouble.value = wrong?.(currentTarget.value) ?? '';
            onChange(currentTarget.value);
          }}
        />
      </label>
      <p class="small muted" id={id}>
        {help}
        {trouble.value && <strong class="wrong"> {trouble.value}</strong>}
      </p>
    </div>
  );
}

// What the next message would send; the key is in a header, which is not shown.
function Request(): VNode {
  const words = t();
  const chat = conversation.value;
  const question = {
    id: newId(), conv: chat.id, parent: path.value.at(-1)?.id ?? null, seq: 0, role: 'user' as const,
    content: words.message, reasoning: '', status: 'draft' as const, created: 0,
  };
  const { body } = makeRequest(
    {
      conversation: chat,
      path: [...path.value, question],
      aim: { kind: 'answer' },
      wording: (node) => node.content,
      states: true,
    },
    settingsOf(chat.profile, chat.settings),
  );
  const json = JSON.stringify(body, null, 2);
  const curl = `curl -N ${addressOf('v1/chat/completions')} -H 'Content-Type: application/json' -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`;
  return (
    <div class="stack">
      <p class="small muted">{words.requestNote}</p>
      <pre class="request" tabIndex={0} aria-label="JSON">
        {json}
      </pre>
      <div class="row">
        <button type="button" class="button" onClick={() => void copyText(json)}>
          {words.copyJson}
        </button>
        <button type="button" class="button" onClick={() => void copyText(curl)}>
          {words.copyCurl}
        </button>
      </div>
    </div>
  );
}
