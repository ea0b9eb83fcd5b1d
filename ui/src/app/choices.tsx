// Language and theme, in the header's menu and in the settings.
import type { VNode } from 'preact';
import { chooseLocale, chosenLocale, t, type Locale } from '../i18n';
import { chooseTheme, theme, themes } from './appearance';

export function LanguageChoice(): VNode {
  return (
    <label class="choice">
      <span>{t().language}</span>
      <select
        value={chosenLocale.value ?? ''}
        onChange={(event) => chooseLocale((event.currentTarget.value || null) as Locale | null)}
      >
        <option value="">{t().themeSystem}</option>
        <option value="en" lang="en">
          English
        </option>
        <option value="zh" lang="zh-CN">
          中文
        </option>
      </select>
    </label>
  );
}

export function ThemeChoice(): VNode {
  const names = { system: t().themeSystem, light: t().themeLight, dark: t().themeDark };
  return (
    <label class="choice">
      <span>{t().theme}</span>
      <select
        value={theme.value}
        onChange={(event) => chooseTheme(themes.find((one) => one === event.currentTarget.value) ?? 'system')}
      >
        {themes.map((one) => (
          <option key={one} value={one}>
            {names[one]}
          </option>
        ))}
      </select>
    </label>
  );
}
