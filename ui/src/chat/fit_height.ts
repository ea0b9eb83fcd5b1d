// As tall as its text, up to what the style allows. Browsers with field-sizing do it by themselves.
const kItself = CSS.supports('field-sizing', 'content');

export function fitHeight(field: HTMLTextAreaElement): void {
  if (kItself) return;
  field.style.height = 'auto';
  field.style.height = `${field.scrollHeight + field.offsetHeight - field.clientHeight}px`;
}
