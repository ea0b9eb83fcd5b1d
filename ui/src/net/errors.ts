// What went wrong, as the page acts on it; `said` is the server's own sentence, which is shown as text.
export type Trouble =
  | 'offline' // no connection
  | 'key' // 401
  | 'role' // 403
  | 'busy' // 429
  | 'loading' // 503
  | 'gone' // a state that is not there, or is of another model
  | 'size' // 413
  | 'field' // 400, 422: `param` says which
  | 'missing' // another 404
  | 'server' // 5xx
  | 'strange' // an answer that is not Skein's: a proxy's page, no JSON
  | 'cut'; // a stream that ended before its end

export class Failure extends Error {
  constructor(
    readonly trouble: Trouble,
    readonly said = '',
    readonly param = '',
    readonly status = 0,
    readonly retryAfterMs: number | null = null,
    readonly code = '',
  ) {
    super(said || trouble);
    this.name = 'Failure';
  }
}

interface Said {
  message: string;
  param: string;
  code: string;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

// The `error` of an answer or of an event, or null where it is none.
export function saidIn(body: unknown): Said | null {
  if (!isRecord(body) || body['error'] === undefined || body['error'] === null) return null;
  const error = body['error'];
  if (typeof error === 'string') return { message: error, param: '', code: '' };
  if (!isRecord(error)) return null;
  return { message: textOf(error['message']), param: textOf(error['param']), code: textOf(error['code']) };
}

// Retry-After in milliseconds: seconds or a date; null where it is neither.
export function retryAfter(headers: Headers, now = Date.now()): number | null {
  const ms = Number(headers.get('retry-after-ms') ?? NaN);
  if (ms >= 0) return ms;
  const text = headers.get('retry-after');
  if (text === null) return null;
  const seconds = Number(text);
  if (text.trim() !== '' && seconds >= 0) return seconds * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

export function failureOf(status: number, headers: Headers, text: string): Failure {
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: a proxy's page.
  }
  const said = saidIn(body);
  const make = (trouble: Trouble): Failure =>
    new Failure(trouble, said?.message ?? '', said?.param ?? '', status, retryAfter(headers), said?.code ?? '');
  if (status === 401) return make('key');
  if (!said && status !== 429 && status !== 503) return make('strange');
  const aboutState = said !== null && (said.param === 'parent' || said.param === 'state' || said.code.startsWith('state_'));
  switch (status) {
    case 403:
      return make('role');
    case 429:
      return make('busy');
    case 503:
      return make('loading');
    case 413:
      return make('size');
    case 404:
      return make(aboutState ? 'gone' : 'missing');
    case 409:
      return make(aboutState ? 'gone' : 'field');
    case 400:
    case 422:
      return make('field');
    default:
      return make('server');
  }
}
