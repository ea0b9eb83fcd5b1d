// A page with nothing but an answer in it, under the policy that the server sends: the text module of
// ui/src as it is, driven from outside. Requests and complaints are kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const { SKEIN_SOURCE, SKEIN_UI_PACKAGES } = process.env;
const ui = join(SKEIN_SOURCE, 'ui');
const packages = SKEIN_UI_PACKAGES ?? ui;
const esbuild = createRequire(join(packages, 'package.json'))('esbuild');
const { serve } = await import(pathToFileURL(join(ui, 'serve.mjs')).href);

const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Text</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><link rel="stylesheet" href="assets/main.css">
<meta name="skein:maths.css" content="assets/maths.css"><script type="module" src="assets/main.js"></script></head>
<body><main class="view"><h1>Text</h1><h2>Answer</h2><div id="host"></div></main></body></html>`;

const contents = `
import { createTextView } from './src/text/view';
import { chooseLocale } from './src/i18n';
Object.assign(window, { createTextView, chooseLocale, ready: true });`;

async function bundle(outdir) {
  const common = {
    absWorkingDir: ui,
    nodePaths: [join(packages, 'node_modules')],
    outdir,
    bundle: true,
    minify: true,
    logLevel: 'warning',
    loader: { '.woff2': 'file', '.woff': 'file', '.ttf': 'file' },
    assetNames: '[name]-[hash]',
  };
  await esbuild.build({
    ...common,
    stdin: { contents, resolveDir: ui, loader: 'ts' },
    format: 'esm',
    target: 'es2022',
    entryNames: 'main',
    chunkNames: '[name]-[hash]',
    splitting: true,
  });
  await esbuild.build({ ...common, entryPoints: ['src/style/main.css', 'src/style/maths.css'] });
}

export async function textServer() {
  const folder = mkdtempSync(join(tmpdir(), 'skein-text-'));
  mkdirSync(join(folder, 'assets'));
  await bundle(join(folder, 'assets'));
  writeFileSync(join(folder, 'index.html'), page);
  const server = await serve(folder, (_question, answer) => answer.writeHead(404).end());
  return {
    address: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.close();
      server.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function textPage(browser, server, settings = {}) {
  const page = await browser.newPage({ viewport: { width: 800, height: 900 }, ...settings });
  const complaints = [];
  const requests = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('popup', () => complaints.push('a window was opened'));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(server.address);
  await page.waitForFunction(() => window.ready === true);
  await page.evaluate(() => {
    // The longest time between two frames, from now on.
    window.watchFrames = () => {
      window.longest = 0;
      let last = performance.now();
      const frame = (now) => {
        window.longest = Math.max(window.longest, now - last);
        last = now;
        window.watching = requestAnimationFrame(frame);
      };
      cancelAnimationFrame(window.watching);
      window.watching = requestAnimationFrame((now) => ((last = now), frame(now)));
    };
    window.begin = () => {
      window.view?.dispose();
      window.view = window.createTextView(document.getElementById('host'), { locale: 'en' });
    };
    // As the chat does it: what came since the last frame is given at once.
    window.streamed = async (text, perFrame) => {
      for (let at = 0; at < text.length; at += perFrame) {
        window.view.append(text.slice(at, at + perFrame));
        await new Promise(requestAnimationFrame);
      }
      window.view.finish();
    };
    window.begin();
  });
  return { page, complaints, requests };
}
