import { textZh } from './text.zh';
import type { viewsEn } from './views.en';

export const viewsZh: typeof viewsEn = { ...textZh };
