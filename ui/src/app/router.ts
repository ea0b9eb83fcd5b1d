// Where one is, in the part of the address behind #, so that the server needs no route of its own for it
// and any base path works: #/c/CHAT/NODE, #/state/ID, #/settings ...
import { signal } from '@preact/signals';

export interface Route {
  name: string; // '' is a new chat
  args: string[];
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function parseHash(hash: string): Route {
  const [name = '', ...args] = hash.replace(/^#?\/?/, '').split('/').map(decoded);
  return { name, args: args.filter((arg) => arg !== '') };
}

export function hrefOf(name: string, ...args: string[]): string {
  return '#/' + [name, ...args].filter((part) => part !== '').map(encodeURIComponent).join('/');
}

export const route = signal<Route>(parseHash(location.hash));
addEventListener('hashchange', () => (route.value = parseHash(location.hash)));

export function go(name: string, ...args: string[]): void {
  const href = hrefOf(name, ...args);
  if (location.hash !== href) location.hash = href;
}

// The same without a step that Back would return to: a chat that got its id, another version of a turn.
export function goQuietly(name: string, ...args: string[]): void {
  history.replaceState(null, '', hrefOf(name, ...args));
  route.value = parseHash(location.hash);
}
