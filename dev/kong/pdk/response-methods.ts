import { kongError } from '../http/error-pages.js';
import { escapeHeaderName, escapeHeaderValue } from '../http/uri.js';
import type { RequestContext } from '../request-context.js';
import {
  ExitSignal,
  headerTable,
  headerValues,
  isTable,
  luaToString,
  PdkError,
  type PdkValue,
  toBytes,
} from './lua-values.js';
import {
  ANY,
  checkCount,
  type PdkCall,
  type PdkMethod,
  RESPONSE_READS,
  SERVICE_RESPONSE,
  text,
} from './pdk-method.js';

/**
 * Response headers for which nginx keeps one slot (lua-nginx-module 0.10.26: `ngx_http_set_builtin_header`): setting one
 * replaces nginx's own, spelling included, and of several values the last stays.
 */
const ONE_SLOT = new Set(
  `server date content-encoding location refresh last-modified content-range accept-ranges www-authenticate expires etag e-tag
   content-length`.split(/\s+/),
);

/** A Location that begins with a slash is taken out of its slot, so that the next one goes beside it. */
function inOneSlot(name: string, values: readonly string[]): string[] {
  if (name !== 'location') return values.slice(-1);
  return values.filter((value, i) => i === values.length - 1 || value.startsWith('/'));
}

/** `ngx.header[name] = values`. @throws PdkError for a Content-Length that is none. */
export function setResponseHeader(ctx: RequestContext, name: string, values: readonly string[]): void {
  const key = escapeHeaderName(name.replaceAll('_', '-'));
  const lower = key.toLowerCase();
  if (key === '') return;
  const oneSlot = ONE_SLOT.has(lower);
  const kept = oneSlot ? inOneSlot(lower, values) : lower === 'content-type' ? values.slice(-1) : values;
  if (lower === 'content-length' && kept.some((value) => !/^\d+$/.test(value))) {
    throw new PdkError('failed to set header');
  }
  // nginx writes its own Connection header; one that is set goes out beside it.
  ctx.response.headers.set(key, kept.map(escapeHeaderValue), oneSlot || lower === 'connection');
  if (lower === 'date') ctx.response.dateCleared = kept.length === 0;
}

function setOrWarn({ ctx, log }: PdkCall, name: string, values: readonly string[]): void {
  if (name.toLowerCase() === 'transfer-encoding') {
    log.write('warn', 'manually setting Transfer-Encoding. Ignored.', ctx.id);
  } else setResponseHeader(ctx, name, values);
}

function change(run: (call: PdkCall, args: readonly PdkValue[]) => void): PdkMethod {
  return {
    ...ANY,
    run: (call, args) => {
      run(call, args);
      return undefined;
    },
  };
}

/** @throws PdkError */
function statusCode(value: PdkValue): number {
  if (typeof value !== 'number' || value < 100 || value > 599) {
    throw new PdkError('code must be a number between 100 and 599');
  }
  return Math.floor(value);
}

/** nginx adds what it will write itself. */
function visibleHeaders(ctx: RequestContext, max: number): Record<string, string | string[]> {
  const table = ctx.response.headers.table(max);
  table.connection ??= ctx.received.keepAlive ? 'keep-alive' : 'close';
  return table;
}

const BODY_FILTER_ONLY: PdkMethod = { phases: [], only: 'body_filter', run: () => undefined };

function parseJson(body: Buffer | undefined): PdkValue {
  try {
    return body === undefined ? undefined : JSON.parse(body.toString());
  } catch {
    return undefined;
  }
}

export const RESPONSE_METHODS: Readonly<Record<string, PdkMethod>> = {
  'kong.response.get_status': { ...RESPONSE_READS, run: ({ ctx }) => ctx.response.status },
  'kong.response.get_source': { ...RESPONSE_READS, run: ({ ctx }) => ctx.source },
  'kong.response.get_headers': {
    ...RESPONSE_READS,
    run: ({ ctx }, [max]) => visibleHeaders(ctx, checkCount('max_headers', max)),
  },
  'kong.response.get_header': {
    ...RESPONSE_READS,
    run: ({ ctx }, [name]) => {
      const value = visibleHeaders(ctx, 1000)[text(name, 'header name').toLowerCase().replaceAll('_', '-')];
      return Array.isArray(value) ? value[0] : value;
    },
  },
  'kong.response.set_status': change(({ ctx }, [status]) => {
    ctx.response.status = statusCode(status);
  }),
  'kong.response.set_header': change((call, [name, value]) => {
    if (value === undefined || value === null) throw new PdkError('invalid header value');
    setOrWarn(call, text(name, 'header'), headerValues(value));
  }),
  'kong.response.add_header': change((call, [name, value]) => {
    const header = text(name, 'header');
    setOrWarn(call, header, [...call.ctx.response.headers.all(header), ...headerValues(value)]);
  }),
  'kong.response.clear_header': change(({ ctx }, [name]) => {
    const header = text(name, 'header');
    if (header.toLowerCase() === 'date') ctx.response.dateCleared = ctx.response.headers.has('date');
    ctx.response.headers.remove(header);
  }),
  'kong.response.set_headers': change((call, [headers]) => {
    for (const [name, values] of headerTable(headers)) setOrWarn(call, name, values);
  }),
  'kong.response.exit': change(exit),
  'kong.response.error': change(({ ctx }, [status, message]) => {
    const code = statusCode(status);
    const accept = ctx.received.headers.get('accept');
    const page = kongError(code, ctx.id, accept, message === undefined ? undefined : luaToString(message));
    for (const { name, value } of page.headers.lines) setResponseHeader(ctx, name, [value]);
    throw new ExitSignal(code, page.body);
  }),
  'kong.response.get_raw_body': BODY_FILTER_ONLY,
  'kong.response.set_raw_body': BODY_FILTER_ONLY,
  'kong.service.response.get_status': {
    ...SERVICE_RESPONSE,
    run: ({ ctx }) => ctx.upstreamResponse?.status,
  },
  // Empty in buffered mode: Kong fills it from what a plain proxied response would have left.
  'kong.service.response.get_headers': {
    ...SERVICE_RESPONSE,
    run: (_call, [max]) => {
      checkCount('max_headers', max);
      return {};
    },
  },
  'kong.service.response.get_header': {
    ...SERVICE_RESPONSE,
    run: ({ ctx }, [name]) => {
      const wanted = text(name, 'header name').toLowerCase();
      return ctx.upstreamResponse?.headers.find((line) => line.name.toLowerCase() === wanted)?.value;
    },
  },
  'kong.service.response.get_body': {
    ...SERVICE_RESPONSE,
    run: ({ ctx }) => parseJson(ctx.bufferedBody),
  },
  'kong.service.response.get_raw_body': { ...SERVICE_RESPONSE, run: ({ ctx }) => ctx.bufferedBody },
};

function exit(call: PdkCall, [status, body, headers]: readonly PdkValue[]): void {
  const { ctx, protocol } = call;
  const code = statusCode(status);
  const table = headerTable(headers);
  const json = isTable(body);
  const content = json ? toBytes(JSON.stringify(body).replaceAll('/', '\\/')) : toBytes(body);
  if (json) setResponseHeader(ctx, 'Content-Type', ['application/json; charset=utf-8']);
  // ProtoBuf cannot tell nil from an empty body; over MsgPack nginx writes a page of its own.
  if (protocol === 'mp' && (body === undefined || body === null)) throw new ExitSignal(code, content, true);
  for (const [name, values] of table) setOrWarn(call, name, values);
  if (!table.some(([name]) => name.toLowerCase() === 'content-length')) {
    setResponseHeader(ctx, 'Content-Length', [luaToString(String(content.length))]);
  }
  throw new ExitSignal(code, content);
}
