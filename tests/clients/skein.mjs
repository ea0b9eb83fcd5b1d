// What the scripts for Node share: where the server is, and that nothing leaves this machine.
import assert from 'node:assert/strict';

export const base = process.env.SKEIN_URL;
export const key = process.env.SKEIN_KEY;
export const word = process.env.SKEIN_REVERSED;
export const question = 'Reverse: garden';
export const greedy = { temperature: 0 };
// An answer that never ends by itself: this model ends a turn with an empty line, and its ids are
// bytes, each one more.
export const unending = { ignore_eos: true, logit_bias: { [10 + 1]: -100 } };
export const endless = { ...unending, max_tokens: -1 };

// For tests that abort by a signal: its fetch at times goes on reading what was aborted.
export const skip = process.versions.node.startsWith('18.') && 'Node 18 loses signals';

// Clients that report home, or fetch vocabularies, are to be told not to.
const fetch_any = globalThis.fetch;
globalThis.fetch = (input, init) => {
  const url = new URL(input.url ?? input);
  assert.equal(url.hostname, '127.0.0.1', `a client asks another machine: ${url}`);
  return fetch_any(input, init);
};

export async function collect(iterable) {
  const out = [];
  for await (const one of iterable) out.push(one);
  return out;
}

export async function metric(name) {
  const reply = await fetch(base.replace(/\/v1$/, '/metrics'), {
    headers: { authorization: `Bearer ${key}` },
  });
  const line = (await reply.text()).split('\n').find((one) => one.startsWith(name));
  return Number(line?.split(' ').at(-1) ?? NaN);
}

export const processing = () => metric('llamacpp:requests_processing');

// Waits until a condition holds; a minute is an error and no measurement.
export async function until(what, holds) {
  for (const end = Date.now() + 60_000; !(await holds()); )
    if (Date.now() > end) assert.fail(`waited a minute: ${what}`);
    else await new Promise((resolve) => setTimeout(resolve, 10));
}

// A call of npm's `openai` is refused: by an error of this class that names the field.
export async function refused(call, kind, param) {
  const error = await call.then(() => null, (one) => one);
  assert.ok(error instanceof kind, `${error}`);
  assert.equal(error.param, param);
  assert.equal(error.type, 'invalid_request_error');
  assert.equal(typeof error.error.message, 'string');
  assert.ok('code' in error.error);
}
