import { render } from 'preact';
import './app/appearance';
import { listenToKeys } from './app/keys';
import { Shell } from './app/shell';
import { followOtherTabs } from './chat/session';
import { openLibrary } from './data/library';
import { boot, loadBoot, loadModels } from './net/boot';
import { online } from './net/connection';
import { key, keyTrouble } from './net/key';

async function meetServer(): Promise<void> {
  await loadBoot();
  if (boot.value.auth === 'key' && key.value === '') keyTrouble.value = 'needed';
  else await loadModels();
}

const host = document.getElementById('app');
if (host) {
  render(<Shell />, host);
  listenToKeys();
  void openLibrary().then(followOtherTabs);
  // Once at the start, and again when a server that was gone is back.
  online.subscribe((here) => {
    if (here) void meetServer().catch(() => {});
  });
}
