// For a screen reader: each sentence of an answer once it has ended, if that was asked for.
import { announce } from '../app/announce';
import { preferences } from '../app/preferences';
import type { Run } from './run';

const kEnd = /[.!?…]["'”’)\]]*\s|[。！？][”’」』）]*|\n/g;

// How much of `text` is whole sentences, from `from`.
export function endOfSentences(text: string, from: number): number {
  kEnd.lastIndex = from;
  let end = from;
  for (let match = kEnd.exec(text); match; match = kEnd.exec(text)) end = kEnd.lastIndex;
  return end;
}

export function speak(run: Run): () => void {
  let said = run.text.length;
  let last = '';
  return run.onShow(() => {
    if (!preferences.peek().speakAnswers) return;
    const end = endOfSentences(run.text, said);
    const words = run.text.slice(said, end).trim();
    if (words === '' || words === last) return;
    said = end;
    last = words;
    announce(words);
  });
}
