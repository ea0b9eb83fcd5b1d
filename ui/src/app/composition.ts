// Whether a key belongs to an input method. Safari ends the composition before the key that ended it is
// told, so that key counts as part of it for a moment.
const kAfter = 100;
let endedAt = -Infinity;

addEventListener('compositionend', () => (endedAt = performance.now()), true);

export function belongsToComposition(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === 229 || performance.now() - endedAt < kAfter;
}
