import { signal } from '@preact/signals';

// The turn whose text is being changed, by its node.
export const editing = signal<string | null>(null);
