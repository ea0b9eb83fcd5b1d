// Copies a text. On plain http there is no Clipboard, so the old command does it.
import { t } from '../i18n';
import { announce } from './announce';
import { showToast } from './toasts';

export async function copyText(text: string): Promise<boolean> {
  const done = (await byClipboard(text)) || byCommand(text);
  if (done) announce(t().copied);
  else showToast(t().copyFailed);
  return done;
}

async function byClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

function byCommand(text: string): boolean {
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'hidden';
  const before = document.activeElement;
  // Inside an open dialog, where alone the focus may go.
  (before?.closest('dialog') ?? document.body).append(field);
  field.select();
  let done = false;
  try {
    done = document.execCommand('copy');
  } catch {
    // Told by the result.
  }
  field.remove();
  if (before instanceof HTMLElement) before.focus();
  return done;
}
