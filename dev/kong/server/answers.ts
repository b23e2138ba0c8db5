import type { Duplex } from 'node:stream';
import type { ByteReader } from '../http/byte-reader.js';
import { bareExitPage, type MadeUpAnswer } from '../http/error-pages.js';
import { type HeaderLine, HeaderLines } from '../http/message-head.js';
import type { ExitSignal } from '../pdk/lua-values.js';
import type { RequestContext } from '../request-context.js';
import { condition } from './conditional.js';
import type { RunnablePlugin } from './plugin-chain.js';

/** An answer ready to go: every header is there except those that frame the message on the client's protocol. */
export interface ClientResponse {
  readonly status: number;
  /** The upstream's own status and reason; unset: nginx's. */
  readonly statusText: string | undefined;
  readonly headers: readonly HeaderLine[];
  readonly body: Buffer | AsyncIterable<Buffer>;
  /** The request was a HEAD: no body goes out. */
  readonly headOnly: boolean;
  /** The connection is closed behind it. */
  readonly close: boolean;
}

/** The client of one request. */
export interface ClientSide {
  /** Sent before the body is read or thrown away, if the client waits for it. */
  continue100(): void;
  send(response: ClientResponse): Promise<void>;
  /** Closes without an answer (nginx's 444). */
  drop(): void;
  /** Never answers; returns when the client has gone. */
  hang(): Promise<void>;
  /** After a 101: bytes go both ways until one side ends. */
  tunnel(response: ClientResponse, upstream: Duplex, fromUpstream: ByteReader): Promise<void>;
}

/** One request on its way to an answer. */
export interface Turn {
  readonly ctx: RequestContext;
  readonly client: ClientSide;
  readonly plugins: readonly RunnablePlugin[];
}

/** What the client would like an error page to be. */
export function accept(ctx: RequestContext): string | undefined {
  return ctx.received.headers.get('accept');
}

/** Kong's own plugins see every answer before it goes out. False when one of them replaced it. */
export function headerFilter({ ctx, plugins }: Turn): boolean {
  ctx.phase = 'header_filter';
  let untouched = true;
  for (const plugin of plugins) {
    if (plugin.kind === 'built-in' && !plugin.plugin.headerFilter(ctx)) untouched = false;
  }
  return untouched;
}

/** A 200 that becomes a 304 loses these. */
const ENTITY_OF_200 = ['content-type', 'content-length', 'accept-ranges', 'content-encoding'];

/** Sends what is in `ctx.response`. */
export async function send(
  { ctx, client }: Turn,
  origin: Origin,
  body: Buffer | AsyncIterable<Buffer>,
  statusText?: string,
  close = false,
): Promise<void> {
  client.continue100();
  const outcome = origin === 'streamed' ? 'met' : condition(ctx);
  // nginx's 412 comes too late to be sent.
  if (outcome === 'failed') return client.drop();
  if (outcome === 'not modified') {
    ctx.response.status = 304;
    for (const name of ENTITY_OF_200) ctx.response.headers.remove(name);
  }
  const { status } = ctx.response;
  const headers = clientHeaders(ctx, origin, status);
  await client.send({ status, statusText, headers, body, headOnly: ctx.method === 'HEAD', close });
}

/** An answer of Kong's own. Headers that are there already stay, save those the answer brings. */
export async function sendPage(turn: Turn, page: MadeUpAnswer, origin: Origin, close = false): Promise<void> {
  const { ctx } = turn;
  ctx.response.status = page.status;
  if (ctx.source === 'service') ctx.source = 'error';
  for (const { name, value } of page.headers.lines) ctx.response.headers.set(name, [value], true);
  ctx.bufferedBody = page.body;
  headerFilter(turn);
  await send(turn, origin, ctx.bufferedBody, undefined, close);
}

/** A plugin called `kong.response.exit`. */
export async function sendExit(turn: Turn, exit: ExitSignal, origin: Origin): Promise<void> {
  const { ctx, client } = turn;
  // Recorded: an interim status never becomes an answer, and two of nginx's own close the connection.
  if (exit.status < 200) {
    for (const action of ctx.afterwards.splice(0)) action();
    return client.hang();
  }
  if (exit.status === 444 || exit.status === 499) return client.drop();
  ctx.source = 'exit';
  if (exit.bare) {
    const page = bareExitPage(exit.status, ctx.id, accept(ctx));
    if (exit.status === 204 || exit.status === 304 || page.html === true) dropEntityHeaders(ctx);
    return sendPage(turn, page, origin, exit.status === 500);
  }
  ctx.response.status = exit.status;
  ctx.bufferedBody = exit.body;
  headerFilter(turn);
  await send(turn, origin, ctx.bufferedBody);
}

/** nginx's own page, and an answer without a body, take the place of the entity that these describe. */
function dropEntityHeaders(ctx: RequestContext): void {
  for (const name of ['content-type', 'content-length', 'etag', 'last-modified', 'accept-ranges']) {
    ctx.response.headers.remove(name);
  }
}

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
