// The page's files with the policy that Skein sends, in front of a server that answers all else. For
// whoever writes the page (dev.mjs), and for tests whose server is none.
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { extname, join, normalize } from 'node:path';

const types = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

export const headers = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
    "connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types skein",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=()',
  'Cache-Control': 'no-cache',
};

const isFile = ({ method }, path) => method === 'GET' && (path === '/' || /^\/(assets\/|favicon|licences|sw\.js)/.test(path));

async function sendFile(folder, path, answer) {
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

// A server of `folder`, with `otherwise(question, answer)` for the rest. Resolves when it listens.
export function serve(folder, otherwise, port = 0) {
  const server = createServer(async (question, answer) => {
    const path = new URL(question.url, 'http://localhost').pathname;
    if (isFile(question, path) && (await sendFile(folder, path, answer))) return;
    otherwise(question, answer);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

// Hands a request on to another server.
export function onward(server) {
  const to = new URL(server);
  return (question, answer) => {
    const passed = { ...question.headers, host: to.host };
    // A server lets no page of another origin ask; here this is the page's own server.
    delete passed.origin;
    delete passed.referer;
    const asked = request({ host: to.hostname, port: to.port, path: question.url, method: question.method, headers: passed }, (reply) => {
      answer.writeHead(reply.statusCode ?? 502, reply.headers);
      reply.pipe(answer);
    });
    asked.on('error', () => {
      if (!answer.headersSent) answer.writeHead(502);
      answer.end();
    });
    answer.on('close', () => asked.destroy());
    question.pipe(asked);
  };
}
