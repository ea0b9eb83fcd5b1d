// The views beside the chat: the first word of their address, their name, and where they are. Each is
// loaded when it is first opened. A view gets the rest of its address as `args`.
import type { ComponentType } from 'preact';
import type { Dictionary } from '../i18n';

export interface ViewProps {
  args: string[];
}
export interface View {
  route: string;
  name: (words: Dictionary) => string;
  load: () => Promise<{ default: ComponentType<ViewProps> }>;
  // Whether the navigation links to it.
  listed: boolean;
}

export const views: readonly View[] = [
  { route: 'settings', name: (t) => t.settings, load: () => import('./settings'), listed: true },
];

export function viewOf(route: string): View | undefined {
  return views.find((view) => view.route === route);
}
