import { t } from '../i18n';
import { revealed } from './controls';
import type { ImageNode } from './nodes';
import { copyButton, made, plain, say } from './parts';

// A picture in an answer is its address: loading it would tell its server what was talked about.
const LONGEST = 300;

export function imageBox({ alt, address }: ImageNode): HTMLElement {
  const word = made('span', 'tx-image-word');
  say(word, 'textImage');
  const shown = address.length > LONGEST ? address.slice(0, LONGEST) + '…' : address;
  const code = made('code', '', ...revealed(shown, true).map(plain));
  code.dir = 'ltr';
  const box = made('span', 'tx-image', word, ...(alt ? [made('span', '', ...revealed(alt, true).map(plain))] : []));
  box.title = t().textImageNote;
  box.append(code, copyButton('textCopyAddress', () => address));
  return box;
}
