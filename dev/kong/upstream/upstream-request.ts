import { isIP } from 'node:net';
import type { Service } from '../config/declarative-config.js';
import type { HeaderLine } from '../http/message-head.js';
import { escapeHeaderValue, nginxHost } from '../http/uri.js';
import type { KongLog } from '../kong-log.js';
import { ONE_SLOT } from '../pdk/service-request-methods.js';
import type { RequestContext, UpstreamTarget } from '../request-context.js';
import { type UpstreamClient, UpstreamError, type UpstreamExchange } from './upstream-client.js';

export interface ProxyOptions {
  readonly buffered: boolean;
  readonly prefix: string | undefined;
}

/** Sends the request to the upstream, again up to the service's `retries` where that is safe. @throws UpstreamError */
export async function proxy(
  ctx: RequestContext,
  target: UpstreamTarget,
  service: Service,
  client: UpstreamClient,
  log: KongLog,
  options: ProxyOptions,
): Promise<UpstreamExchange> {
  if (!isReachable(target)) throw new UpstreamError(500, 'failed to set the current peer', true);
  const content =
    ctx.received.body.wasRead || hasBody(ctx) ? await ctx.received.body.read(ctx.contentLength) : undefined;
  const head = upstreamHead(ctx, target, options);
  const repeatable = !['POST', 'PATCH', 'LOCK'].includes(ctx.method);
  for (let attempt = 0; ; attempt++) {
    try {
      return await client.send(target, service, head, content, ctx.method);
    } catch (error) {
      if (!(error instanceof UpstreamError)) throw error;
      log.write('error', error.message, ctx.id);
      const again = error.beforeSending || repeatable;
      if (error.status === 503 || !again || attempt >= service.retries) throw error;
    }
  }
}

/** Kong connects only to addresses once the balancer runs; a name set by a plugin is refused there. */
function isReachable(upstream: UpstreamTarget): boolean {
  return !upstream.retargeted || isIP(upstream.host) !== 0;
}

function hasBody(ctx: RequestContext): boolean {
  if (ctx.received.body.chunked) return true;
  return (ctx.contentLength ?? 0) > 0;
}

/** Headers that Kong writes itself or that end at Kong. */
const REPLACED = new Set(
  `host via proxy connection keep-alive proxy-connection transfer-encoding upgrade te expect content-length x-forwarded-for
   x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-path x-forwarded-prefix x-real-ip
   x-kong-request-id`.split(/\s+/),
);

/** Methods nginx has a number for. Buffered proxying runs a subrequest, and that knows no others: they become GET. */
const KNOWN_METHODS = new Set(
  'GET HEAD POST PUT DELETE OPTIONS PATCH TRACE MKCOL COPY MOVE PROPFIND PROPPATCH LOCK UNLOCK'.split(' '),
);

export interface UpstreamHeadOptions {
  readonly buffered: boolean;
  /** What the route cut off the path, for X-Forwarded-Prefix. */
  readonly prefix: string | undefined;
}

/** The head of the request that goes to the upstream. */
export function upstreamHead(
  ctx: RequestContext,
  target: UpstreamTarget,
  options: UpstreamHeadOptions,
): Buffer {
  const method = options.buffered && !KNOWN_METHODS.has(ctx.method) ? 'GET' : ctx.method;
  const query =
    target.args === undefined
      ? ''
      : target.args !== '' || ctx.received.requestUri.endsWith('?')
        ? `?${target.args}`
        : '';
  const own = clientHeaders(ctx);
  const lines = [...kongHeaders(ctx, target, options.prefix), ...(options.buffered ? copied(own) : own)];
  const text = lines.map(({ name, value }) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${target.path}${query} HTTP/1.1\r\n${text}\r\n`, 'latin1');
}

function kongHeaders(ctx: RequestContext, target: UpstreamTarget, prefix: string | undefined): HeaderLine[] {
  const { received } = ctx;
  const original = received.headers;
  const trusted = (name: string): string | undefined => (ctx.fromTrusted ? original.get(name) : undefined);
  const lines: HeaderLine[] = [];
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') lines.push({ name, value });
  };
  const te = original.get('te');
  if (te !== undefined && /\btrailers\b/i.test(te)) add('TE', 'trailers');
  const via = `${received.httpVersion === undefined ? '' : `${received.httpVersion} `}kong/3.9.3`;
  const before = original.get('via');
  add('Via', before === undefined ? via : `${before}, ${via}`);
  add('Host', target.hostHeader === '' ? serviceHost(target) : target.hostHeader);
  add('Upgrade', received.upgrade);
  add('Connection', received.upgrade === undefined ? 'keep-alive' : 'keep-alive, Upgrade');
  const chain = original.get('x-forwarded-for');
  add('X-Forwarded-For', `${chain === undefined ? '' : `${chain}, `}${ctx.connection.remoteAddress}`);
  add('X-Forwarded-Proto', trusted('x-forwarded-proto') ?? ctx.scheme);
  add('X-Forwarded-Host', trusted('x-forwarded-host') ?? originalHost(ctx));
  add('X-Forwarded-Port', trusted('x-forwarded-port') ?? String(ctx.connection.localPort));
  add('X-Forwarded-Path', trusted('x-forwarded-path') ?? received.rawPath);
  add('X-Forwarded-Prefix', trusted('x-forwarded-prefix') ?? prefix);
  add('X-Real-IP', ctx.realIp.address);
  add('X-Kong-Request-Id', ctx.id);
  const length =
    ctx.headers.get('content-length') ?? (ctx.received.body.wasRead ? chunkedLength(ctx) : undefined);
  add('Content-Length', length);
  return lines;
}

/** A chunked body is read whole and sent on with its length. */
function chunkedLength(ctx: RequestContext): string | undefined {
  return ctx.received.body.chunkedLength === undefined ? undefined : String(ctx.received.body.chunkedLength);
}

function originalHost(ctx: RequestContext): string {
  const authority = ctx.received.authority ?? ctx.received.headers.get('host');
  return authority === undefined || authority === '' ? ctx.serverName : nginxHost(authority);
}

export function serviceHost(target: UpstreamTarget): string {
  const standard = target.port === (target.scheme === 'https' ? 443 : 80);
  return standard || target.retargeted ? target.host : `${target.host}:${target.port}`;
}

function clientHeaders(ctx: RequestContext): HeaderLine[] {
  const named = new Set(
    ctx.received.headers
      .all('connection')
      .flatMap((value) => value.split(','))
      .map((token) => token.trim().toLowerCase())
      .filter((token) => token !== 'close' && token !== 'keep-alive' && token !== 'te'),
  );
  return ctx.headers.lines.filter(({ name }) => {
    const lower = name.toLowerCase();
    return !REPLACED.has(lower) && !named.has(lower);
  });
}

/**
 * The subrequest of buffered proxying gets a copy of the headers, set one after the other: values are escaped, and one slot
 * keeps the last line. An empty line empties those before it instead.
 */
function copied(lines: readonly HeaderLine[]): HeaderLine[] {
  const last = new Map(lines.map((line) => [line.name.toLowerCase(), line]));
  return lines.flatMap((line) => {
    const name = line.name.toLowerCase();
    const kept = ONE_SLOT.has(name) ? (last.get(name) ?? line) : line;
    return kept === line || kept.value === ''
      ? [{ name: line.name, value: escapeHeaderValue(kept.value) }]
      : [];
  });
}
