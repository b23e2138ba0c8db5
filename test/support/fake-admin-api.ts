import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { Closing } from '../../dev/closing.js';
import { listen } from '../../dev/listen.js';
import * as manifest from '../../src/plugin/manifest.js';
import { dumpOf } from '../../src/pluginserver/dump.js';
import type { Identity } from './certificates.js';

type Json = Readonly<Record<string, unknown>>;

export interface FakeKong {
  readonly version?: string;
  readonly role?: string;
  /** `ours`, the Lua plugin of the same name, or none. */
  readonly plugin?: 'ours' | 'lua' | 'none';
  readonly pluginVersion?: string;
  readonly servers?: readonly Json[];
  /** Whether kong.conf has the line that keeps handles of processes out of `/`. */
  readonly hasAdminLine?: boolean;
  readonly trustedIps?: readonly string[];
  /** Whether it started one of them itself: a running Kong 3.9.3 cannot answer at `/` then. */
  readonly runsServer?: boolean;
  readonly services?: readonly Json[];
  readonly routes?: readonly Json[];
  readonly plugins?: readonly Json[];
  /** As RBAC of Kong Enterprise wants it. */
  readonly token?: string;
  /** At the most so many entities a page, whatever is asked for. */
  readonly pageSize?: number;
  readonly tls?: Identity;
}

/** The fields of the Lua plugin 1.2.0. */
const LUA_FIELDS = `service_url shared_secret secret_header_name connection_timeout_ms connection_keepAlive_ms
  verify_service_certificate enable_debug_logging`.split(/\s+/);

/** What kong/kong.conf makes of the plugin server. */
export const OUR_SERVER: Json = {
  name: 'ping-auth-server',
  socket: '/run/ping-auth/ping-auth.sock',
  start_command: '/usr/local/bin/ping-auth-pluginserver --socket /run/ping-auth/ping-auth.sock',
  query_command: '/usr/local/bin/ping-auth-pluginserver --dump',
};

/** The parts of a Kong 3.9.3's Admin API that are read by `ping-auth check`. Its URL; ended by `closing`. */
export async function fakeAdminApi(kong: FakeKong, closing: Closing): Promise<string> {
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    const [status, body] = answer(kong, request);
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', server: 'kong/3.9.3' });
    response.end(JSON.stringify(body));
  };
  const server = kong.tls === undefined ? createHttp(listener) : createHttps(kong.tls, listener);
  const port = await listen(server);
  closing.add(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return kong.tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`;
}

function answer(kong: FakeKong, request: IncomingMessage): readonly [status: number, body: unknown] {
  if (kong.token !== undefined && request.headers['kong-admin-token'] !== kong.token) {
    return [401, { message: 'Invalid RBAC credentials. Token or User credentials required' }];
  }
  if (request.method !== 'GET') return [405, { message: 'Method not allowed' }];
  const url = new URL(request.url ?? '/', 'http://kong');
  switch (url.pathname) {
    case '/':
      if (kong.runsServer === true) return [500, { message: 'An unexpected error occurred' }];
      return [200, information(kong)];
    case '/schemas/plugins/ping-auth':
      return kong.plugin === 'none'
        ? [404, { message: "No plugin named 'ping-auth'" }]
        : [200, schema(kong.plugin ?? 'ours')];
    case '/services':
    case '/routes':
    case '/plugins':
      return [200, page(kong[url.pathname.slice(1) as 'services'] ?? [], url, kong.pageSize ?? 1000)];
    default:
      return [404, { message: 'Not found' }];
  }
}

function information(kong: FakeKong): Json {
  const { version = '3.9.3', role = 'traditional', plugin = 'ours', servers = [OUR_SERVER] } = kong;
  const own = { version: kong.pluginVersion ?? (plugin === 'ours' ? manifest.Version : '1.2.0') };
  return {
    tagline: 'Welcome to kong',
    version,
    edition: 'community',
    plugins: {
      available_on_server: {
        'post-function': { version, priority: -1000 },
        ...(plugin !== 'none' && { 'ping-auth': { ...own, priority: 999 } }),
      },
      enabled_in_cluster: [...new Set((kong.plugins ?? []).map(({ name }) => name))],
    },
    lua_version: 'LuaJIT 2.1.0-20231117',
    configuration: {
      role,
      database: 'off',
      log_level: 'notice',
      plugins: ['bundled', 'ping-auth'],
      pluginserver_names: servers.map(({ name }) => name),
      pluginservers: servers,
      trusted_ips: kong.trustedIps ?? {},
      ...(kong.hasAdminLine && { nginx_admin_access_by_lua: "'… s.proc = nil …'" }),
    },
  };
}

/** Ours as the dump has it; both with the fields that Kong puts around. */
function schema(plugin: 'ours' | 'lua'): Json {
  const around = [{ protocols: { type: 'set' } }, { consumer: { type: 'foreign', reference: 'consumers' } }];
  const config =
    plugin === 'ours'
      ? JSON.parse(dumpOf([manifest])).Plugins[0].Schema.fields
      : [{ config: { type: 'record', fields: LUA_FIELDS.map((name) => ({ [name]: { type: 'string' } })) } }];
  return { entity_checks: [], fields: [...around, ...config] };
}

function page(all: readonly Json[], url: URL, atMost: number): Json {
  const size = Math.min(Number(url.searchParams.get('size') ?? 100), atMost);
  const start = Number(atob(url.searchParams.get('offset') ?? '') || 0);
  const end = start + size;
  if (end >= all.length) return { data: all.slice(start), next: null };
  const offset = btoa(String(end));
  const next = `${url.pathname}?offset=${encodeURIComponent(offset)}&size=${size}`;
  return { data: all.slice(start, end), offset, next };
}
