import { element, pushText, type TextNode } from './nodes';

// Characters that turn text around or are not to be seen. In code and in links they are shown by
// their numbers, since there a reader must be able to trust the order of what he sees.
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const UNSEEN = /[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/;

export function revealed(text: string, unseen = false): TextNode[] {
  const kids: TextNode[] = [];
  const pattern = unseen ? UNSEEN : TURNING;
  if (!pattern.test(text)) {
    pushText(kids, text);
    return kids;
  }
  for (const piece of text.split(new RegExp(`(${pattern.source})`))) {
    if (piece.length === 1 && pattern.test(piece)) {
      const name = 'U+' + piece.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
      kids.push(element('span', [name], { class: 'tx-control' }));
    } else if (piece !== '') {
      pushText(kids, piece);
    }
  }
  return kids;
}

// A name that others gave, in one line of ours: nothing in it may turn what stands around it.
export function nameOf(text: string): string {
  return text.replace(new RegExp(TURNING.source, 'g'), '\ufffd').replace(/\s+/g, ' ');
}
