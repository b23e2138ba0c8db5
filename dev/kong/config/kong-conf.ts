import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Settings under their kong.conf names; the defaults are Kong's. `pluginserver_<name>_{socket,start_cmd,query_cmd}`
 * belong to the names in `pluginserver_names` (hyphens become underscores).
 */
export interface KongConf {
  /** Kong's syntax: `127.0.0.1:8000, 127.0.0.1:8443 ssl http2`; port 0 takes a free one. */
  readonly proxy_listen?: string;
  readonly prefix?: string;
  readonly pluginserver_names?: string;
  readonly trusted_ips?: string;
  readonly nginx_worker_processes?: number | string;
  readonly nginx_proxy_max_headers?: number | string;
  readonly nginx_proxy_large_client_header_buffers?: string;
  readonly nginx_proxy_ssl_verify_client?: 'off' | 'on' | 'optional' | 'optional_no_ca';
  readonly nginx_http_client_body_buffer_size?: string;
  readonly nginx_http_lua_socket_read_timeout?: string;
  readonly nginx_proxy_proxy_buffer_size?: string;
  /** Idle connections that a worker keeps to a plugin server. */
  readonly lua_socket_pool_size?: number | string;
  /** A file with `map $request_method $name { volatile; default "…"; }` blocks. */
  readonly nginx_http_include?: string;
  /** 0: no upstream connection is used twice. */
  readonly upstream_keepalive_pool_size?: number | string;
  /** PEM text or a file; needed for `ssl` listeners. */
  readonly ssl_cert?: string;
  readonly ssl_cert_key?: string;
  /** How often the stand-in runs one event again before it gives up loudly. A real Kong never gives up. */
  readonly standin_event_repeats?: number | string;
  /** How long the stand-in waits for a server that it started, before it takes requests; Kong does not. Default 15s. */
  readonly standin_start_wait?: string;
  /** In place of /usr/local/bin, where Kong looks for a program of the plugin server's name. */
  readonly standin_program_folder?: string;
  readonly [key: string]: string | number | undefined;
}

export interface Listen {
  readonly host: string;
  readonly port: number;
  readonly ssl: boolean;
  readonly http2: boolean;
}

export interface PluginServerSetting {
  readonly name: string;
  readonly socket: string;
  /** Unset: somebody else runs it. */
  readonly startCommand: string | undefined;
  readonly queryCommand: string;
}

export interface Settings {
  readonly listen: readonly Listen[];
  readonly prefix: string;
  readonly pluginServers: readonly PluginServerSetting[];
  readonly trustedIps: readonly string[];
  readonly workers: number;
  readonly limits: { readonly line: number; readonly total: number; readonly headers: number };
  readonly bodyBufferSize: number;
  readonly upstreamHeadSize: number;
  readonly upstreamKeepAlive: boolean;
  readonly askClientCertificate: boolean;
  readonly rpcTimeoutMs: number;
  readonly idleConnections: number;
  readonly startWaitMs: number;
  /** nginx variables from map blocks: name → template. */
  readonly variables: ReadonlyMap<string, string>;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  readonly eventRepeats: number;
}

/** @throws Error */
export function readSettings(conf: KongConf): Settings {
  const prefix = conf.prefix ?? join(tmpdir(), 'kong-stand-in');
  const names = list(conf.pluginserver_names);
  const [count, size] = (conf.nginx_proxy_large_client_header_buffers ?? '4 8k').split(' ');
  const line = bytes(size ?? '8k');
  const include = conf.nginx_http_include;
  return {
    listen: list(conf.proxy_listen ?? '127.0.0.1:0').map(parseListen),
    prefix,
    pluginServers: names.map((name) => pluginServer(conf, prefix, name)),
    trustedIps: list(conf.trusted_ips),
    workers: Number(conf.nginx_worker_processes ?? 1),
    limits: { line, total: line * Number(count), headers: Number(conf.nginx_proxy_max_headers ?? 1000) },
    bodyBufferSize: bytes(conf.nginx_http_client_body_buffer_size ?? '8k'),
    upstreamHeadSize: bytes(conf.nginx_proxy_proxy_buffer_size ?? '4k'),
    upstreamKeepAlive: Number(conf.upstream_keepalive_pool_size ?? 512) > 0,
    askClientCertificate: (conf.nginx_proxy_ssl_verify_client ?? 'off') !== 'off',
    rpcTimeoutMs: milliseconds(conf.nginx_http_lua_socket_read_timeout ?? '60s'),
    idleConnections: Number(conf.lua_socket_pool_size ?? 256),
    startWaitMs: milliseconds(conf.standin_start_wait ?? '15s'),
    variables: include === undefined ? new Map() : parseMaps(readFileSync(include, 'latin1')),
    tls: tls(conf),
    eventRepeats: Number(conf.standin_event_repeats ?? 5000),
  };
}

/** kong.conf text: `name = value` lines, `#` comments. */
export function parseKongConf(text: string): KongConf {
  const conf: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const [, name, value] = /^\s*([a-z0-9_]+)\s*=\s*(.*?)\s*(?:\s#.*)?$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined && value !== '') conf[name] = value.replaceAll('\\#', '#');
  }
  return conf;
}

function list(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== 'off');
}

function parseListen(text: string): Listen {
  const [address = '', ...flags] = text.split(/\s+/);
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (host === undefined) throw new Error(`proxy_listen: "${text}" is not host:port [ssl] [http2]`);
  return { host, port: Number(port), ssl: flags.includes('ssl'), http2: flags.includes('http2') };
}

/** A command that is not given is the program of that name in /usr/local/bin, if there is one. */
function pluginServer(conf: KongConf, prefix: string, given: string): PluginServerSetting {
  const name = given.toLowerCase();
  const key = `pluginserver_${name.replaceAll('-', '_')}`;
  const text = (suffix: string): string | undefined => {
    const value = conf[`${key}_${suffix}`];
    return value === undefined ? undefined : String(value);
  };
  const program = join(conf.standin_program_folder ?? '/usr/local/bin', name);
  const found = existsSync(program) ? program : undefined;
  const queryCommand = text('query_cmd') ?? (found === undefined ? undefined : `${found} -dump`);
  if (queryCommand === undefined) throw new Error(`query_command undefined for pluginserver ${name}`);
  return {
    name,
    socket: text('socket') ?? join(prefix, `${name}.socket`),
    startCommand: text('start_cmd') ?? found,
    queryCommand,
  };
}

function tls(conf: KongConf): Settings['tls'] {
  if (conf.ssl_cert === undefined || conf.ssl_cert_key === undefined) return undefined;
  const pem = (value: string): string => (value.includes('-----BEGIN') ? value : readFileSync(value, 'utf8'));
  return { cert: pem(conf.ssl_cert), key: pem(conf.ssl_cert_key) };
}

function bytes(text: string): number {
  const [, number, unit] = /^(\d+)([kKmM]?)$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`"${text}" is not a size`);
  return Number(number) * (unit === '' ? 1 : unit?.toLowerCase() === 'k' ? 1024 : 1024 * 1024);
}

function milliseconds(text: string): number {
  const [, number, unit] = /^(\d+)(ms|s|m)?$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`"${text}" is not a time`);
  return Number(number) * (unit === 'ms' ? 1 : unit === 'm' ? 60_000 : 1000);
}

function parseMaps(text: string): Map<string, string> {
  const variables = new Map<string, string>();
  for (const block of text.matchAll(/^\s*map\s+\$\w+\s+\$(\w+)\s*\{([^}]*(?:\$\{\w+\}[^}]*)*)\}/gm)) {
    const [, name = '', body = ''] = block;
    const template = /\bdefault\s+"((?:[^"\\]|\\.)*)"|\bdefault\s+([^\s;"]+)/.exec(body);
    if (template === null) throw new Error(`map $${name} has no default`);
    variables.set(name, template[1] ?? template[2] ?? '');
  }
  return variables;
}
