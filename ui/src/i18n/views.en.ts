import { textEn } from './text.en';

// Words of the views beside the chat.
export const viewsEn = { ...textEn };
