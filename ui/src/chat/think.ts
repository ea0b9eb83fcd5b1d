// The ways of thinking that the server knows, '' being its own.
export const thinkModes = ['', 'none', 'fake', 'free', 'bit', 'think', 'lot', 'zh'] as const;
