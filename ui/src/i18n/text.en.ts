// Words that stand beside what a model wrote.
const n = (value: number): string => new Intl.NumberFormat('en').format(value);

export const textEn = {
  textCopy: 'Copy',
  textCopied: 'Copied',
  textNotCopied: 'Not copied',
  textCode: 'Code',
  textCodeIn: (language: string) => `Code, ${language}`,
  textCopyCode: 'Copy code',
  textTable: 'Table',
  textFormula: 'Formula',
  textImage: 'Image',
  textImageNote: 'Images are not loaded: this is their address.',
  textCopyAddress: 'Copy address',
  textRest: (rows: number, of: number, columns: number, ofColumns: number) =>
    `${n(rows)} of ${n(of)} rows` + (columns < ofColumns ? `, ${n(columns)} of ${n(ofColumns)} columns` : ''),
  textShowAll: 'Show all',
};
