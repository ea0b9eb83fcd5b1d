// Builds the page into a folder (dist): `node build.mjs [FOLDER]`. The same sources and lock file give the
// same bytes, on any machine: a test builds it again and compares. Prints what the page weighs, and
// fails where that is more than the budget.
import * as esbuild from 'esbuild';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const KIB = 1024;

// In bytes after gzip, which is what the program embeds and a browser loads.
const BUDGET = { first: 150 * KIB, maths: 330 * KIB, all: 600 * KIB };

// The few drawings of lucide that the page uses, as `import { icons } from 'skein:icons'`.
const icons = {
  name: 'icons',
  setup(build) {
    build.onResolve({ filter: /^skein:icons$/ }, () => ({ path: 'icons', namespace: 'icons' }));
    build.onLoad({ filter: /.*/, namespace: 'icons' }, () => {
      const all = read('node_modules/lucide-static/icon-nodes.json', JSON.parse);
      const chosen = read('src/app/icons.json', JSON.parse);
      const missing = chosen.filter((name) => !all[name]);
      if (missing.length) throw new Error(`lucide has no icon ${missing.join(', ')}`);
      const picked = Object.fromEntries([...chosen].sort().map((name) => [name, all[name]]));
      return { contents: `export const icons = ${JSON.stringify(picked)};`, loader: 'js' };
    });
  },
};

// Every browser that runs the page reads woff2, so the other forms of KaTeX's fonts stay out.
const onlyWoff2 = {
  name: 'only-woff2',
  setup(build) {
    build.onLoad({ filter: /katex\.min\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/,url\([^)]*\.(?:woff|ttf)\) format\("[a-z]+"\)/g, ''),
      loader: 'css',
    }));
  },
};

export const options = {
  absWorkingDir: here,
  bundle: true,
  format: 'esm',
  target: ['es2022'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  loader: { '.woff2': 'file', '.svg': 'text' },
  plugins: [icons, onlyWoff2],
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'warning',
};

function read(name, parse = (text) => text) {
  return parse(readFileSync(join(here, name), 'utf8'));
}

function filesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

// What a page that only shows a chat loads: the entries and what they import without being asked.
function firstLoad(outputs, entry) {
  const seen = new Set();
  const visit = (name) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const { path, kind } of outputs[name]?.imports ?? [])
      if (kind === 'import-statement') visit(path);
  };
  visit(entry);
  return [...seen];
}

// The licence of every package that has a byte in the page.
function licences(inputs) {
  const packages = new Map();
  for (const input of Object.keys(inputs)) {
    const match = /^(?:icons:|.*node_modules\/)((?:@[^/]+\/)?[^/]+)/.exec(input);
    if (!match) continue;
    const name = input.startsWith('icons:') ? 'lucide-static' : match[1];
    const folder = join('node_modules', name);
    const { version, license } = read(join(folder, 'package.json'), JSON.parse);
    const file = readdirSync(join(here, folder)).sort().find((entry) => /^licen[cs]e/i.test(entry));
    packages.set(name, `${name} ${version} (${license})\n\n${file ? read(join(folder, file)).trim() : ''}\n`);
  }
  const names = [...packages.keys()].sort();
  const rule = `\n${'-'.repeat(78)}\n\n`;
  return `Skein's page contains these packages.\n${rule}${names.map((name) => packages.get(name)).join(rule)}`;
}

// index.html with the hashed names in it. What is loaded later (a stylesheet, a worker) is named by
// <meta name="skein:NAME">, since only the build knows its name.
function page(names, preload) {
  const later = Object.entries(names)
    .filter(([name]) => !['main.js', 'main.css', 'theme.js'].includes(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, path]) => `<meta name="skein:${name}" content="${path}">`);
  return read('src/index.html')
    .replace('%THEME%', names['theme.js'])
    .replace('%STYLE%', names['main.css'])
    .replace('%MAIN%', names['main.js'])
    .replace('%PRELOAD%', preload.map((path) => `<link rel="modulepreload" href="${path}">`).join('\n'))
    .replace('%LATER%', later.join('\n'));
}

export async function build(folder, { watchers = [] } = {}) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const result = await esbuild.build({
    ...options,
    entryPoints: { main: 'src/main.tsx', theme: 'src/theme.ts', style: 'src/style/main.css', maths: 'src/style/maths.css' },
    outdir: folder,
    entryNames: 'assets/[name]-[hash]',
    chunkNames: 'assets/[name]-[hash]',
    assetNames: 'assets/[name]-[hash]',
    splitting: true,
    minify: true,
    metafile: true,
  });
  for (const watcher of watchers) watcher(result);

  const outputs = Object.fromEntries(
    Object.entries(result.metafile.outputs).map(([name, output]) => [
      relative(folder, join(here, name)),
      { ...output, imports: output.imports.map((one) => ({ ...one, path: relative(folder, join(here, one.path)) })) },
    ]),
  );
  const entry = (source) => Object.keys(outputs).find((name) => outputs[name].entryPoint === source);
  const names = {
    'main.js': entry('src/main.tsx'),
    'theme.js': entry('src/theme.ts'),
    'main.css': entry('src/style/main.css'),
    'maths.css': entry('src/style/maths.css'),
  };
  const first = firstLoad(outputs, names['main.js']);
  writeFileSync(join(folder, 'index.html'), page(names, first.filter((name) => name !== names['main.js']).sort()));
  for (const name of ['favicon.svg', 'sw.js']) writeFileSync(join(folder, name), read(join('src', name)));
  writeFileSync(join(folder, 'licences.txt'), licences(result.metafile.inputs));

  return weigh(folder, ['index.html', 'favicon.svg', names['main.css'], names['theme.js'], ...first], outputs, names);
}

function weigh(folder, first, outputs, names) {
  const size = new Map(
    filesOf(folder).map((name) => {
      const bytes = readFileSync(join(folder, name));
      return [name, { raw: bytes.length, packed: name.endsWith('.woff2') ? bytes.length : gzipSync(bytes, { level: 9 }).length }];
    }),
  );
  const sum = (list) => [...new Set(list)].reduce((total, name) => total + size.get(name).packed, 0);
  const katex = Object.keys(outputs).filter((name) =>
    name.endsWith('.js') && Object.keys(outputs[name].inputs).some((input) => input.includes('node_modules/katex/')));
  // Five typical formulas fetched seven of the fonts, 89 KiB.
  const table = {
    first: sum(first),
    maths: sum([...first, ...katex, names['maths.css']]) + 89 * KIB,
    all: sum([...size.keys()]),
  };
  return { size, first: new Set(first), table };
}

function report({ size, first, table }) {
  const kib = (bytes) => `${(bytes / KIB).toFixed(1).padStart(7)} KiB`;
  for (const [name, { raw, packed }] of size)
    if (!name.endsWith('.woff2')) console.log(`${kib(raw)} ${kib(packed)} gzip  ${first.has(name) ? '*' : ' '} ${name}`);
  const words = { first: 'first load (*)', maths: 'with maths', all: 'the whole folder' };
  let over = false;
  for (const [name, bytes] of Object.entries(table)) {
    over ||= bytes > BUDGET[name];
    console.log(`${words[name].padEnd(18)}${kib(bytes)} of ${kib(BUDGET[name]).trim()}${bytes > BUDGET[name] ? '  TOO MUCH' : ''}`);
  }
  return !over;
}

export function fingerprint(folder) {
  const hash = createHash('sha256');
  for (const name of filesOf(folder)) hash.update(`${name}\0`).update(readFileSync(join(folder, name)));
  return hash.digest('hex');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2] ?? join(here, 'dist');
  if (!report(await build(folder))) process.exit(1);
}
