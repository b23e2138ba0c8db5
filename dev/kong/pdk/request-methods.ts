import { readFileSync } from 'node:fs';
import { kongPath, parseArgs } from '../http/uri.js';
import { PdkError } from './pdk-error.js';
import { ANY, checkCount, type PdkCall, type PdkMethod, text } from './pdk-method.js';
import type { PdkTable, PdkValue } from './pdk-value.js';

function read(run: PdkMethod['run']): PdkMethod {
  return { ...ANY, run };
}

/** The first item of a header that trusted proxies may set. */
function forwarded({ ctx }: PdkCall, name: string): string | undefined {
  if (!ctx.fromTrusted) return undefined;
  return ctx.headers.get(name)?.split(',')[0]?.trim();
}

export const REQUEST_METHODS: Readonly<Record<string, PdkMethod>> = {
  'kong.client.get_ip': read(({ ctx }) => ctx.connection.remoteAddress),
  'kong.client.get_forwarded_ip': read(({ ctx }) => ctx.realIp.address),
  'kong.client.get_port': read(({ ctx }) => ctx.connection.remotePort),
  'kong.client.get_forwarded_port': read(({ ctx }) => Number(ctx.realIp.port)),
  'kong.request.get_method': read(({ ctx }) => ctx.method),
  'kong.request.get_scheme': read(({ ctx }) => ctx.scheme),
  'kong.request.get_host': read(({ ctx }) => ctx.host),
  'kong.request.get_port': read(({ ctx }) => ctx.connection.localPort),
  'kong.request.get_forwarded_scheme': read(
    (call) => forwarded(call, 'x-forwarded-proto')?.toLowerCase() ?? call.ctx.scheme,
  ),
  'kong.request.get_forwarded_host': read(
    (call) => forwarded(call, 'x-forwarded-host')?.replace(/:\d+$/, '').toLowerCase() ?? call.ctx.host,
  ),
  'kong.request.get_forwarded_port': read((call) => {
    const port = Number(forwarded(call, 'x-forwarded-port'));
    return Number.isInteger(port) && port > 0 ? port : call.ctx.connection.localPort;
  }),
  'kong.request.get_forwarded_path': read(
    (call) => forwarded(call, 'x-forwarded-path') ?? kongPath(call.ctx.received.rawPath),
  ),
  'kong.request.get_forwarded_prefix': read((call) => forwarded(call, 'x-forwarded-prefix')),
  'kong.request.get_http_version': read(({ ctx }) => ctx.received.httpVersion),
  'kong.request.get_path': read(({ ctx }) => kongPath(ctx.received.rawPath)),
  'kong.request.get_raw_path': read(({ ctx }) => ctx.received.rawPath),
  'kong.request.get_path_with_query': read(({ ctx }) => ctx.received.requestUri),
  'kong.request.get_raw_query': read(({ ctx }) => ctx.received.args ?? ''),
  'kong.request.get_query': read(({ ctx }, [max]) =>
    parseArgs(ctx.received.args ?? '', checkCount('max_args', max)),
  ),
  'kong.request.get_query_arg': read(({ ctx }, [name]) => {
    const value = parseArgs(ctx.received.args ?? '', 100)[text(name, 'name')];
    return Array.isArray(value) ? value[0] : value;
  }),
  'kong.request.get_header': read(({ ctx }, [name]) => {
    const wanted = text(name, 'header name');
    return ctx.headers.get(wanted) ?? ctx.headers.get(wanted.replaceAll('_', '-'));
  }),
  'kong.request.get_headers': read(({ ctx }, [max]) => ctx.headers.table(checkCount('max_headers', max))),
  'kong.request.get_raw_body': read(rawBody),
};

async function rawBody(call: PdkCall, [limit]: readonly PdkValue[]): Promise<PdkValue> {
  const { ctx, protocol } = call;
  const content = await ctx.received.body.read(ctx.contentLength);
  const file = ctx.received.body.file;
  if (protocol === 'pb') {
    return file === undefined ? { content } : ({ body_filepath: file } satisfies PdkTable);
  }
  if (file === undefined) return content;
  if (typeof limit !== 'number') {
    throw new PdkError(
      `request body did not fit into client body buffer, consider raising 'client_body_buffer_size'`,
    );
  }
  if (limit > 0 && content.length > limit) {
    throw new PdkError(`request body file too big: ${content.length} > ${limit}`);
  }
  return readFileSync(file);
}
