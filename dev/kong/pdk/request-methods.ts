import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { kongPath, parseArgs } from '../http/uri.js';
import type { RequestContext } from '../request-context.js';
import { PdkError, type PdkTable, type PdkValue } from './lua-values.js';
import { ANY, checkCount, type PdkCall, type PdkMethod, text } from './pdk-method.js';

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
  'kong.client.get_forwarded_port': read(({ ctx }) =>
    ctx.realIp.port === '' ? undefined : Number(ctx.realIp.port),
  ),
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

type Variable = (ctx: RequestContext) => string | undefined;

const VARIABLES: Readonly<Record<string, Variable>> = {
  args: (ctx) => ctx.received.args || undefined,
  query_string: (ctx) => ctx.received.args || undefined,
  is_args: (ctx) => (ctx.received.args === undefined || ctx.received.args === '' ? '' : '?'),
  binary_remote_addr: (ctx) =>
    ctx.realIp.address
      .split('.')
      .map((part) => String.fromCharCode(Number(part)))
      .join(''),
  body_bytes_sent: () => '0',
  connection: (ctx) => String(ctx.connection.number),
  content_length: (ctx) => ctx.headers.get('content-length'),
  content_type: (ctx) => ctx.headers.get('content-type'),
  document_uri: (ctx) => ctx.received.uri,
  host: (ctx) => ctx.host,
  hostname: () => hostname(),
  http2: (ctx) => (ctx.received.httpVersion === 2 ? 'h2' : ''),
  kong_request_id: (ctx) => ctx.id,
  msec: () => (Date.now() / 1000).toFixed(3),
  pid: () => String(process.pid),
  realip_remote_addr: (ctx) => ctx.connection.remoteAddress,
  realip_remote_port: (ctx) => String(ctx.connection.remotePort),
  remote_addr: (ctx) => ctx.realIp.address,
  remote_port: (ctx) => ctx.realIp.port,
  request: (ctx) => ctx.received.requestLine,
  request_body: () => undefined,
  request_body_file: (ctx) => ctx.received.body.file,
  request_id: (ctx) => ctx.nginxId,
  request_method: (ctx) => ctx.method,
  request_time: (ctx) => ((Date.now() - ctx.startedAt) / 1000).toFixed(3),
  request_uri: (ctx) => ctx.received.requestUri,
  scheme: (ctx) => ctx.scheme,
  server_addr: (ctx) => ctx.connection.localAddress,
  server_name: (ctx) => ctx.serverName,
  server_port: (ctx) => String(ctx.connection.localPort),
  server_protocol: (ctx) => ctx.received.protocol,
  status: (ctx) => (ctx.response.status > 0 ? String(ctx.response.status) : '000'),
  time_iso8601: () => new Date().toISOString().replace(/\.\d+Z$/, '+00:00'),
  upstream_uri: (ctx) => ctx.upstream?.path ?? kongPath(ctx.received.rawPath),
  uri: (ctx) => ctx.received.uri,
  ssl_protocol: (ctx) => ctx.connection.tls?.protocol,
  ssl_cipher: (ctx) => ctx.connection.tls?.cipher,
  ssl_server_name: (ctx) => ctx.connection.tls?.serverName,
  ssl_client_verify: (ctx) => ctx.connection.tls?.verify,
  ssl_client_raw_cert: (ctx) => ctx.connection.tls?.clientCertificate,
  ssl_client_cert: (ctx) => ctx.connection.tls?.clientCertificate?.trimEnd().replaceAll('\n', '\n\t'),
  ssl_client_escaped_cert: (ctx) => {
    const pem = ctx.connection.tls?.clientCertificate;
    return pem === undefined ? undefined : encodeURIComponent(pem);
  },
  ssl_client_s_dn: (ctx) => ctx.connection.tls?.clientSubject,
  ssl_client_fingerprint: (ctx) => ctx.connection.tls?.clientFingerprint,
};

/** An nginx variable, a `map` of the included file, or undefined when there is none of that name. */
export function nginxVariable(ctx: RequestContext, name: string): string | undefined {
  const template = ctx.variables.get(name);
  if (template !== undefined) {
    return template.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_all, braced?: string, plain?: string) => {
      return nginxVariable(ctx, braced ?? plain ?? '') ?? '';
    });
  }
  const header = /^http_(\w+)$/.exec(name)?.[1];
  if (header !== undefined) {
    const values = ctx.headers.lines
      .filter((line) => line.name.toLowerCase().replaceAll('-', '_') === header)
      .map((line) => line.value);
    return values.length > 0 ? values.join(', ') : undefined;
  }
  const argument = /^arg_(\w+)$/.exec(name)?.[1];
  if (argument !== undefined) {
    const value = parseArgs(ctx.received.args ?? '', 1000)[argument];
    return typeof value === 'string' ? value : undefined;
  }
  return Object.hasOwn(VARIABLES, name) ? VARIABLES[name]?.(ctx) : undefined;
}
