// Model, thinking and profile of this chat, below the message.
import type { VNode } from 'preact';
import { locale, t } from '../i18n';
import { models } from '../net/boot';
import { presets } from './profiles';
import { adjust, conversation } from './session';
import { thinkModes } from './think';

export function Choices(): VNode {
  const words = t();
  const chat = conversation.value;
  return (
    <>
      {models.value.length > 1 && (
        <label class="choice small">
          <span class="hidden">{words.model}</span>
          <select
            title={words.model}
            value={chat.model || models.value[0]?.id}
            onChange={({ currentTarget }) => void adjust((record) => (record.model = currentTarget.value))}
          >
            {models.value.map((model) => (
              <option key={model.id} value={model.id}>
                {model.id}
              </option>
            ))}
          </select>
        </label>
      )}
      <label class="choice small">
        <span>{words.thinking}</span>
        <select
          value={chat.think}
          onChange={({ currentTarget }) => void adjust((record) => (record.think = currentTarget.value))}
        >
          {thinkModes.map((mode) => (
            <option key={mode} value={mode}>
              {words.thinkNames[mode]}
            </option>
          ))}
        </select>
      </label>
      <label class="choice small">
        <span>{words.profile}</span>
        <select
          value={chat.profile}
          onChange={({ currentTarget }) => void adjust((record) => (record.profile = currentTarget.value))}
        >
          {presets.map((preset) => (
            <option key={preset.id} value={preset.id}>
              {preset[locale.value]}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}
