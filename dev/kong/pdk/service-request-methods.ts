import { escapeArgument, escapeHeaderName, escapeHeaderValue, escapePath, escapeQuery } from '../http/uri.js';
import type { RequestContext, UpstreamTarget } from '../request-context.js';
import {
  headerTable,
  headerValues,
  isTable,
  luaToString,
  PdkError,
  type PdkValue,
  toBytes,
} from './lua-values.js';
import { ANY, type PdkMethod, REQUEST_WRITES, text } from './pdk-method.js';

/** The methods nginx has a number for (CONNECT not among those a plugin may set). */
const SETTABLE_METHODS = new Set(
  'GET HEAD PUT POST DELETE OPTIONS MKCOL COPY MOVE PROPFIND PROPPATCH LOCK UNLOCK PATCH TRACE'.split(' '),
);

function write(run: (ctx: RequestContext, args: readonly PdkValue[]) => void | Promise<void>): PdkMethod {
  return {
    ...REQUEST_WRITES,
    run: async ({ ctx }, args) => {
      await run(ctx, args);
      return undefined;
    },
  };
}

function target(ctx: RequestContext): UpstreamTarget {
  if (ctx.upstream === undefined) throw new PdkError('no upstream');
  return ctx.upstream;
}

/**
 * Request headers for which nginx keeps one slot (lua-nginx-module 0.10.26: `ngx_http_set_builtin_header`). Of several values
 * that are set the last stays; a header that the client sent more than once keeps its further lines.
 */
export const ONE_SLOT: ReadonlySet<string> = new Set(
  `host connection user-agent referer content-length content-type range transfer-encoding expect upgrade accept-encoding via
   authorization keep-alive x-real-ip if-modified-since if-unmodified-since if-match if-none-match if-range`.split(
    /\s+/,
  ),
);

function setRequestHeader(ctx: RequestContext, name: string, values: readonly string[]): void {
  if (name.toLowerCase() === 'host' && values[0] !== undefined) {
    // Kong keeps the upstream's host in a variable of its own; a list becomes a table's address there.
    target(ctx).hostHeader = values.length > 1 ? luaToString([]) : values[0].trim();
  }
  const last = values.at(-1);
  if (last !== undefined && ONE_SLOT.has(name.toLowerCase())) {
    ctx.headers.setFirst(name, escapeHeaderValue(last));
  } else ctx.headers.set(escapeHeaderName(name), values.map(escapeHeaderValue));
}

export const SERVICE_REQUEST_METHODS: Readonly<Record<string, PdkMethod>> = {
  'kong.service.request.set_scheme': write((ctx, [scheme]) => {
    const value = text(scheme, 'scheme');
    if (value !== 'http' && value !== 'https') throw new PdkError(`invalid scheme: ${value}`);
    target(ctx).scheme = value;
  }),
  'kong.service.request.set_path': write((ctx, [path]) => {
    const value = text(path, 'path');
    if (!value.startsWith('/')) throw new PdkError('path must start with /');
    target(ctx).path = escapePath(value);
  }),
  'kong.service.request.set_raw_query': write((ctx, [query]) => {
    const value = escapeQuery(text(query, 'query'));
    target(ctx).args = value === '' ? undefined : value;
  }),
  'kong.service.request.set_query': write((ctx, [query]) => {
    const value = isTable(query) ? encodeArgs(query) : '';
    target(ctx).args = value === '' ? undefined : value;
  }),
  'kong.service.request.set_method': write((ctx, [method]) => {
    const value = text(method, 'method');
    if (!SETTABLE_METHODS.has(value)) throw new PdkError(`invalid method: ${value}`);
    ctx.method = value;
  }),
  'kong.service.request.set_header': write((ctx, [name, value]) =>
    setRequestHeader(ctx, text(name, 'header'), setValues(value)),
  ),
  'kong.service.request.add_header': write((ctx, [name, value]) => {
    const header = text(name, 'header');
    const added = luaToString(value);
    if (header.toLowerCase() === 'host') setRequestHeader(ctx, header, [added]);
    else setRequestHeader(ctx, header, [...ctx.headers.all(header), added === '' ? ' ' : added]);
  }),
  'kong.service.request.set_headers': write((ctx, [headers]) => {
    for (const [name, values] of headerTable(headers)) setRequestHeader(ctx, name, values);
  }),
  'kong.service.request.clear_header': write((ctx, [name]) => {
    ctx.headers.remove(text(name, 'header'));
  }),
  'kong.service.request.set_raw_body': write(async (ctx, [body]) => {
    if (body === undefined || body === null) throw new PdkError('body must be a string');
    const content = toBytes(body);
    await ctx.received.body.read(ctx.contentLength);
    ctx.received.body.replace(content);
    ctx.headers.remove('transfer-encoding');
    ctx.headers.set('Content-Length', [String(content.length)]);
  }),
  'kong.service.request.set_body': {
    ...REQUEST_WRITES,
    run: async ({ ctx }, [body]) => {
      if (!isTable(body)) throw new PdkError('args must be a table');
      const content = Buffer.from(JSON.stringify(body));
      await ctx.received.body.read(ctx.contentLength);
      ctx.received.body.replace(content);
      ctx.headers.set('Content-Type', ['application/json']);
      ctx.headers.set('Content-Length', [String(content.length)]);
      return true;
    },
  },
  'kong.service.set_target': write((ctx, [host, port]) => {
    const upstream = target(ctx);
    upstream.host = text(host, 'host');
    upstream.port = Number(port);
    upstream.retargeted = true;
  }),
  // An upstream entity that does not exist is reported to the plugin and changes nothing; there are none here.
  'kong.service.set_upstream': { ...ANY, run: () => undefined },
};

function setValues(value: PdkValue): string[] {
  if (value === undefined || value === null) throw new PdkError('invalid header value');
  return headerValues(value);
}

function encodeArgs(table: Readonly<Record<string, PdkValue>>): string {
  const pairs: string[] = [];
  const add = (name: string, value: PdkValue): void => {
    if (value === true) pairs.push(escapeArgument(name));
    else if (value !== false && value !== undefined && value !== null) {
      pairs.push(`${escapeArgument(name)}=${escapeArgument(luaToString(value))}`);
    }
  };
  for (const name of Object.keys(table).sort()) {
    const value = table[name];
    for (const item of Array.isArray(value) ? value : [value]) add(name, item);
  }
  return pairs.join('&');
}
