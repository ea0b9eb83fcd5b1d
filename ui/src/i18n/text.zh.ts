import type { textEn } from './text.en';

const n = (value: number): string => new Intl.NumberFormat('zh-CN').format(value);

export const textZh: typeof textEn = {
  textCopy: '复制',
  textCopied: '已复制',
  textNotCopied: '未能复制',
  textCode: '代码',
  textCodeIn: (language) => `代码，${language}`,
  textCopyCode: '复制代码',
  textTable: '表格',
  textFormula: '公式',
  textImage: '图片',
  textImageNote: '不会载入图片：这是它的地址。',
  textCopyAddress: '复制地址',
  textRest: (rows, of, columns, ofColumns) =>
    `显示了 ${n(rows)} / ${n(of)} 行` + (columns < ofColumns ? `，${n(columns)} / ${n(ofColumns)} 列` : ''),
  textShowAll: '全部显示',
};
