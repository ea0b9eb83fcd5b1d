// The language for screen readers and for the choice between Chinese, Japanese and Korean forms of
// the same character, told from the script. Nothing where a script says too little.
const SCRIPTS: [string, RegExp][] = [
  ['ja', /[\u3041-\u30ff]/g],
  ['ko', /[\uac00-\ud7af\u1100-\u11ff]/g],
  ['zh-CN', /[\u3400-\u4dbf\u4e00-\u9fff]/g],
  ['ar', /[\u0600-\u06ff\u0750-\u077f]/g],
  ['he', /[\u0590-\u05ff]/g],
  ['ru', /[\u0400-\u04ff]/g],
  ['el', /[\u0370-\u03ff]/g],
  ['hi', /[\u0900-\u097f]/g],
  ['th', /[\u0e00-\u0e7f]/g],
  ['en', /[A-Za-z]/g],
];
const ENOUGH = 8; // letters

// `text` is a beginning; code and addresses, which are Latin everywhere, count for nothing.
export function languageOfText(text: string): string {
  const words = text
    .slice(0, 4096)
    .replace(/```[^]*?(```|$)|`[^`\n]*`|https?:\S+|\$\$[^]*?\$\$/g, ' ');
  const counts = SCRIPTS.map(([, pattern]) => words.match(pattern)?.length ?? 0);
  const of = (tag: string): number => counts[SCRIPTS.findIndex(([name]) => name === tag)] ?? 0;
  // Japanese has Chinese characters as well; a Chinese sentence has more to a character than a Latin one.
  if (of('ja') >= ENOUGH / 2 && of('ja') * 4 >= of('zh-CN')) return 'ja';
  let best = '';
  let most = 0;
  SCRIPTS.forEach(([tag], at) => {
    const weight = (counts[at] ?? 0) * (tag === 'zh-CN' || tag === 'ko' ? 3 : 1);
    if (tag !== 'ja' && weight > most) [best, most] = [tag, weight];
  });
  return most >= ENOUGH ? best : '';
}
