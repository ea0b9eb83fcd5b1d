// Serves the page as it is being written, with the policy that Skein sends, in front of a running server:
//   node dev.mjs [--port 8090] [--server http://127.0.0.1:8080] [--once FOLDER]
// Each change of a source builds it anew; reload to see it. --once serves FOLDER as it is.
import { createServer, request } from 'node:http';
import { readFile } from 'node:fs/promises';
import { watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const asked = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? process.argv[at + 1] : otherwise;
};
const port = Number(asked('port', '8090'));
const server = new URL(asked('server', 'http://127.0.0.1:8080'));
const once = asked('once', null);
const folder = once ?? join(tmpdir(), `skein-ui-${process.pid}`);

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};
const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types skein",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Cache-Control': 'no-cache',
};

async function fromFolder(path, answer) {
  const name = path === '/' ? 'index.html' : normalize(path).replace(/^(\.\.[/\\])+/, '');
  try {
    const bytes = await readFile(join(folder, name));
    answer.writeHead(200, { ...headers, 'Content-Type': types[extname(name)] ?? 'application/octet-stream' });
    answer.end(bytes);
    return true;
  } catch {
    return false;
  }
}

function proxied(question, answer) {
  const passed = { ...question.headers, host: server.host };
  // The server lets no page of another origin ask; here this is the page's own server.
  delete passed.origin;
  delete passed.referer;
  const onward = request(
    { host: server.hostname, port: server.port, path: question.url, method: question.method, headers: passed },
    (reply) => {
      if (reply.statusCode === 404 && question.url === '/ui/boot.json') {
        reply.resume();
        answer.writeHead(200, { 'Content-Type': 'application/json' });
        answer.end(JSON.stringify({ version: '', auth: 'none', features: [], limits: {} }));
        return;
      }
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    },
  );
  onward.on('error', () => answer.headersSent || answer.writeHead(502).end('no server behind'));
  answer.on('close', () => onward.destroy());
  question.pipe(onward);
}

if (!once) {
  await build(folder);
  let waiting = null;
  watch(join(here, 'src'), { recursive: true }, () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => build(folder).then(() => console.log('built'), () => {}), 100);
  });
}
createServer(async (question, answer) => {
  const path = new URL(question.url, 'http://localhost').pathname;
  const isFile = question.method === 'GET' && (path === '/' || /^\/(assets\/|favicon|licences|sw\.js)/.test(path));
  if (isFile && (await fromFolder(path, answer))) return;
  proxied(question, answer);
}).listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
