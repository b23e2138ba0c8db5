import { hostname } from 'node:os';
import { kongPath, parseArgs } from '../http/uri.js';
import type { RequestContext } from '../request-context.js';

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
