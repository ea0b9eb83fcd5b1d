import { element, textOf, type TextNode } from './nodes';
import { revealed } from './controls';

// Where a link may lead: nowhere that runs something or belongs to this page.
const SCHEMES = /^(https?:\/\/|mailto:)/i;

export function allowed(address: string): boolean {
  // Blanks and controls inside a scheme are left out by browsers, so they are left out here.
  // eslint-disable-next-line no-control-regex
  return SCHEMES.test(address.replace(/[\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202f]/g, ''));
}

// The link, with the host beside it where the words do not say where it leads.
export function link(address: string, kids: TextNode[]): TextNode {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return element('span', kids);
  }
  const shown = kids.flatMap(revealKid);
  const place = url.protocol === 'mailto:' ? decodeSafely(url.pathname) : url.host;
  if (!tells(textOf(kids), place)) {
    shown.push(element('span', revealed(place), { class: 'tx-host' }));
  }
  return element('a', shown, {
    href: url.href,
    rel: 'noopener noreferrer nofollow',
    target: '_blank',
  });
}

function revealKid(kid: TextNode): TextNode[] {
  if (typeof kid === 'string') return revealed(kid, true);
  return kid.kind === 'element' ? [{ ...kid, kids: kid.kids.flatMap(revealKid) }] : [kid];
}

// "https://good.example@bad.example" does not begin with the host that it leads to.
function tells(words: string, place: string): boolean {
  const plain = words.trim().toLowerCase().replace(/^(https?:\/\/|mailto:)/, '');
  if (place === '' || !plain.startsWith(place.toLowerCase())) return false;
  return /^([/?#:]|$)/.test(plain.slice(place.length));
}

function decodeSafely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
