// Words of the views beside the chat.
export const viewsEn = {};
