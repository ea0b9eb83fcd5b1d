// The views beside the chat: the first word of their address, their name, and where they are. Each is
// loaded when it is first opened. A view gets the rest of its address as `args`.
import type { ComponentType } from 'preact';
import type { Dictionary } from '../i18n';
import { can } from '../net/boot';

export interface ViewProps {
  args: string[];
}
export interface View {
  route: string;
  name: (words: Dictionary) => string;
  load: () => Promise<{ default: ComponentType<ViewProps> }>;
  // Whether the navigation links to it.
  listed: boolean;
  // What the server must be able to do for it; without that it is not there.
  needs?: string;
}

export const views: readonly View[] = [
  { route: 'tree', name: (t) => t.tree, load: () => import('./tree'), listed: true },
  { route: 'compare', name: (t) => t.compare, load: () => import('./compare'), listed: true },
  { route: 'documents', name: (t) => t.documents, load: () => import('./documents'), listed: true, needs: 'states' },
  { route: 'cartridges', name: (t) => t.cartridges, load: () => import('./cartridges'), listed: true, needs: 'states' },
  { route: 'state', name: (t) => t.state, load: () => import('./state'), listed: true, needs: 'stats_fields' },
  { route: 'race', name: (t) => t.race, load: () => import('./race'), listed: true, needs: 'race' },
  { route: 'models', name: (t) => t.models, load: () => import('./models'), listed: true },
  { route: 'settings', name: (t) => t.settings, load: () => import('./settings'), listed: true },
];

export function viewOf(route: string): View | undefined {
  return views.find((view) => view.route === route && isThere(view));
}

export function isThere({ needs }: View): boolean {
  return needs === undefined || can(needs);
}
