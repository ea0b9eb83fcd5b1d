// Texts beside a message: dropped, chosen, or pasted when they are long. Only what is text by its bytes.
import { readText } from '../app/file';
import { showToast } from '../app/toasts';
import { bytes, t } from '../i18n';
import { attachedTexts } from './drafts';

export const kPaste = 8 * 1024; // characters beyond which a pasted text is an attachment
const kMost = 20 * 1024 * 1024;

function total(): number {
  return attachedTexts.value.reduce((sum, one) => sum + one.text.length, 0);
}

export function attachText(name: string, text: string): boolean {
  if (total() + text.length > kMost) {
    showToast(t().tooLarge(name, bytes(kMost)));
    return false;
  }
  attachedTexts.value = [...attachedTexts.value, { name, text }];
  return true;
}

export async function attachFiles(files: readonly File[]): Promise<void> {
  for (const file of files) {
    if (file.size > kMost) {
      showToast(t().tooLarge(file.name, bytes(kMost)));
      continue;
    }
    const text = await readText(file);
    if (text === null) showToast(t().notText(file.name));
    else attachText(file.name, text);
  }
}

export function detach(at: number): void {
  attachedTexts.value = attachedTexts.value.filter((_, index) => index !== at);
}
