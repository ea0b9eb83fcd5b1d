import type { viewsEn } from './views.en';

export const viewsZh: typeof viewsEn = {};
