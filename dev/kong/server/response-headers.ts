import { type HeaderLine, HeaderLines } from '../header-lines.js';
import type { RequestContext } from '../request-context.js';

const SERVER = 'kong/3.9.3';

/** Types to which nginx adds its charset. */
const TEXT_TYPES = new Set([
  'text/html',
  'text/xml',
  'text/plain',
  'text/vnd.wap.wml',
  'application/javascript',
  'application/rss+xml',
]);

export type Origin =
  /** The upstream answered and its answer passes through. */
  | 'streamed'
  /** The upstream answered and Kong held the whole answer. */
  | 'buffered'
  /** Kong answers before an upstream was asked. */
  | 'kong'
  /** Kong answers in place of an upstream that failed. */
  | 'upstream_error';

/** The headers the client gets, from what the plugins left. */
export function clientHeaders(ctx: RequestContext, origin: Origin, status: number): HeaderLine[] {
  const headers = new HeaderLines(ctx.response.headers.lines);
  const type = headers.get('content-type');
  if (status === 204) headers.remove('content-type');
  else if (type !== undefined) headers.set('Content-Type', [withCharset(type, status)], true);

  if (origin === 'kong') {
    headers.set('X-Kong-Response-Latency', [String(Date.now() - ctx.startedAt)]);
    headers.set('Server', [SERVER]);
  } else {
    const before = origin === 'streamed' ? headers.get('via') : undefined;
    const via = `1.1 ${SERVER}`;
    headers.set('X-Kong-Upstream-Latency', ['0']);
    headers.set('X-Kong-Proxy-Latency', [String(Date.now() - ctx.startedAt)]);
    headers.set('Via', [before === undefined ? via : `${before}, ${via}`]);
    if (!headers.has('server')) headers.add('Server', SERVER);
  }
  headers.set('X-Kong-Request-Id', [ctx.id]);
  if (origin !== 'streamed' && !headers.has('date') && !ctx.response.dateCleared) {
    headers.add('Date', new Date().toUTCString());
  }
  return headers.lines;
}

function withCharset(type: string, status: number): string {
  const base = type.split(';')[0]?.trim().toLowerCase() ?? '';
  const redirect = status === 301 || status === 302;
  if (redirect || !TEXT_TYPES.has(base) || /;\s*charset=/i.test(type)) return type;
  return `${type}; charset=UTF-8`;
}
