// A server with every route that the views ask, for a model of 32 layers and 40 heads that nobody has to
// load: its numbers are made up, but lawful.
import { kDist, serve } from './world.mjs';

const LAYERS = 32;
const HEADS = 40;
export const FINGERPRINT = '6d4e48f30b47d4d5e665eb589dbea4dfb818592d22aec9c703b329caccfdd9b0';
export const HOSTILE = '<img src=x onerror=done=1>\u202e **x** [y](javascript:done=1)';

function halfOf(value) {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  const bits = view.getUint32(0);
  const exponent = ((bits >> 23) & 255) - 112;
  if (exponent <= 0) return 0;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >> 13) & 1023);
}

function halves(values) {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, at) => bytes.writeUInt16LE(halfOf(value), at * 2));
  return bytes;
}

const wave = (at, scale) => Math.abs(Math.sin(at * 12.9898) * 43758.5453) % 1 * scale;
const gridOf = (value) => Array.from({ length: LAYERS * HEADS }, (_, at) => value(Math.floor(at / HEADS), at % HEADS, at));
const figures = {
  norm: gridOf((layer, head, at) => 18 + layer * 1.6 + wave(at, 30) + (at % 97 === 0 ? 70 : 0)),
  change: gridOf((layer, head, at) => 0.15 + wave(at + 7, 0.5) + layer / 90),
  rank: gridOf((layer, head, at) => 2 + wave(at + 3, 9) + (LAYERS - layer) / 6),
  distance: gridOf((layer, head, at) => 0.05 + wave(at + 1, 0.6)),
  cosine: gridOf((layer, head, at) => 0.35 + wave(at + 9, 0.64)),
};

function stateOf(id, more = {}) {
  return {
    id, object: 'state', name: null, parent: null, kind: 'turn', model: 'rwkv7-2.9b', usable: true, tokens: 12431, own_tokens: 212,
    bytes: 10_813_440, fingerprint: FINGERPRINT, created: 1796087179, last_used: 1796087179, hits: 3, pinned: false, ttl: 0,
    stage: 'whole', tier: 'snapshot', ...more,
  };
}

export async function startViews({ features = ['states', 'status', 'stats_fields', 'diff_heads', 'state_trace', 'trace', 'race'] } = {}) {
  let states = [
    stateOf('st_a', { parent: 'st_q' }),
    stateOf('st_b', { parent: 'st_q', tokens: 12390 }),
    stateOf('st_manual', { name: 'manual.txt', kind: 'document', pinned: true, tokens: 48210, parent: null }),
    stateOf('st_hostile', { name: HOSTILE, kind: 'document', tokens: 900 }),
    stateOf('st_pirate', { name: 'pirate', kind: 'tuned', tokens: 0 }),
    stateOf('st_other', { name: 'lawyer', kind: 'tuned', fingerprint: 'ffff', model: 'rwkv7-7.2b', usable: false, tokens: 0 }),
  ];
  const asked = [];
  const json = (answer, body, status = 200) => answer.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  const octets = (answer, fields) =>
    answer
      .writeHead(200, { 'Content-Type': 'application/octet-stream', 'x-skein-shape': `${fields.length},${LAYERS},${HEADS}` })
      .end(Buffer.concat(fields.map((field) => halves(figures[field]))));
  const events = (answer) => {
    answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
    return (event) => answer.write(`data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`);
  };

  async function document(question, answer, body) {
    const say = events(answer);
    const total = Math.max(1, Math.round(body.input.length / 4));
    for (let read = 0; read <= total && !question.socket.destroyed; read += Math.ceil(total / 12)) {
      say({ object: 'state.progress', tokens_read: read, tokens: total });
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    if (question.socket.destroyed || answer.destroyed) return;
    const state = stateOf(`st_${states.length}`, { name: body.name, kind: 'document', pinned: body.pinned, tokens: total });
    states = [state, ...states];
    say({ state, usage: { prompt_tokens: total } });
    say('[DONE]');
    answer.end();
  }

  async function race(question, answer, body) {
    const say = events(answer);
    say({ object: 'race.begin', model: 'rwkv7-2.9b', title: 'RWKV-7 "Goose" 2.9B', device: 'cpu', processor: 'A processor of a stub', tokens: body.tokens });
    let ms = 0;
    let before = 0;
    for (let at = 0; at < 120; ++at) {
      const tokens = Math.round(Math.exp((Math.log(body.tokens) * at) / 119));
      if (tokens === before) continue;
      ms += (tokens - before) * (20 + wave(at, 1.5));
      before = tokens;
      say({ object: 'race.point', tokens, ms, rss: 6.1e9 + wave(at, 2e7), state: 10_813_440 });
      await new Promise((resolve) => setTimeout(resolve, 8));
      if (question.socket.destroyed) return;
    }
    say('[DONE]');
    answer.end();
  }

  // An answer of a few words, with the ids of states that a chat goes on from.
  let answers = 0;
  async function chat(answer) {
    const say = events(answer);
    const id = `st_a${++answers}`;
    const chunk = (delta, finish = null) => ({ object: 'chat.completion.chunk', model: 'rwkv7-2.9b', choices: [{ index: 0, delta, finish_reason: finish }] });
    const state = { id, prompt_id: `st_p${answers}`, tokens: 40, bytes: 10_813_440, fingerprint: FINGERPRINT };
    say({ ...chunk({ role: 'assistant', content: '' }), state });
    for (const word of `Answer number ${answers}: the pump is **primed** first, with \`water\`, then started.`.split(/(?= )/)) {
      say(chunk({ content: word }));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    say({ ...chunk({}, 'stop'), state, usage: { prompt_tokens: 20, completion_tokens: 17 }, timings: { predicted_per_second: 48 } });
    say('[DONE]');
    answer.end();
  }

  const WORDS = 'The manual says that water is wet , and that a pump must be primed before it is started . \n'.split(' ');

  function route(question, answer, url, body) {
    const parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
    const where = parts.join('/');
    if (where === 'ui/boot.json') return json(answer, { version: '1.2.3', auth: 'none', features, limits: { body_bytes: 33_554_432 }, languages: ['en', 'zh'] });
    if (where === 'health') return json(answer, { status: 'ok' });
    if (where === 'v1/models')
      return json(answer, {
        object: 'list',
        data: [
          { id: 'rwkv7-2.9b', display_name: 'RWKV-7 "Goose" 2.9B', status: 'loaded', meta: { n_params: 2.95e9, size: 5.9e9, state_bytes: 10_813_440, n_ctx_train: 4096, fingerprint: FINGERPRINT } },
        ],
      });
    if (where === 'v1/status')
      return json(answer, { model: 'rwkv7-2.9b', device: 'cpu', state_bytes: 10_813_440, tok_s: 0, queue: 0, active: 0, rss: 6.1e9, states: { n: 6, bytes: 6.4e7, budget: 4.2e9 } });
    if (where === 'v1/chat/completions') return void chat(answer);
    if (where === 'v1/bench/race') return void race(question, answer, body);
    if (parts[0] !== 'v1' || parts[1] !== 'states') return json(answer, { error: { message: `there is no ${url.pathname}` } }, 404);
    if (parts.length === 2 && question.method === 'POST') {
      if (!url.searchParams.has('name')) return void document(question, answer, body);
      states = [stateOf(`st_${states.length}`, { name: url.searchParams.get('name'), kind: 'tuned', tokens: 0 }), ...states];
      return json(answer, { state: states[0] }, 201);
    }
    if (parts.length === 2) {
      const kind = url.searchParams.get('kind');
      return json(answer, { object: 'list', data: states.filter((state) => !kind || state.kind === kind), has_more: false, next: null });
    }
    const state = states.find(({ id }) => id === parts[2]);
    if (!state) return json(answer, { error: { message: 'there is no such state', param: 'id', code: 'state_not_found' } }, 404);
    if (question.method === 'DELETE') {
      states = states.filter((one) => one !== state);
      return json(answer, { id: state.id, deleted: true });
    }
    if (question.method === 'PATCH') return json(answer, { state: Object.assign(state, body) });
    if (parts[3] === 'stats') return octets(answer, url.searchParams.get('fields').split(','));
    if (parts[3] === 'diff') {
      if (url.searchParams.get('view') === 'heads') return octets(answer, ['distance', 'cosine']);
      return json(answer, { text: { common_bytes: 11_902, own: 'It is primed first, then started. ' + HOSTILE, other: 'Start it, and water will come.', cut: false }, parts: [] });
    }
    if (parts[3] === 'trace') {
      const from = Number(url.searchParams.get('from'));
      const to = Number(url.searchParams.get('to'));
      const tokens = Array.from({ length: to - from }, (_, at) => ({ id: at, piece: ' ' + WORDS[(from + at) % WORDS.length], surprise: at === 0 ? null : wave(at, 9) }));
      const moved = halves(tokens.flatMap((_, at) => Array.from({ length: LAYERS }, (_, layer) => 0.002 + (wave(at * 31 + layer, 1) ** 4) * 0.4)));
      return json(answer, { id: state.id, object: 'state.trace', from, to, shape: [tokens.length, LAYERS], type: 'float16', data: moved.toString('base64'), tokens });
    }
    return json(answer, { state, text: 'The manual says that water is wet.' });
  }

  const server = await serve(kDist, (question, answer) => {
    const url = new URL(question.url, 'http://127.0.0.1');
    const pieces = [];
    question.on('data', (piece) => pieces.push(piece));
    question.on('end', () => {
      const text = Buffer.concat(pieces).toString();
      asked.push(`${question.method} ${url.pathname}${url.search}`);
      route(question, answer, url, question.headers['content-type'] === 'application/json' && text ? JSON.parse(text) : null);
    });
  });
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    asked,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
