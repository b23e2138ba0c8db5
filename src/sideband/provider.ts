import { createHash } from 'node:crypto';
import type { PluginConfig } from '../config/schema.js';
import type { PoolSettings } from './connection-pool.js';

/** Kong gives a plugin up after 60 s; a call has to be over well before. */
const MAX_CALL_MS = 50_000;

/** One policy provider as one configuration sees it. */
export interface Provider {
  /** Scheme, host, port and path: what it is called in logs, metrics and as the key of its circuit breaker. */
  readonly name: string;
  readonly origin: string;
  readonly requestPath: string;
  readonly responsePath: string;
  readonly pool: PoolSettings;
  /** The same for all configurations that can share connections. Holds no secret. */
  readonly poolKey: string;
}

/** Deadline of one call in milliseconds, failover included. */
export function callTimeoutMs(config: PluginConfig): number {
  return config.call_timeout_ms ?? Math.min(config.connection_timeout_ms, MAX_CALL_MS);
}

/** In the order in which they are called. */
export function providersOf(config: PluginConfig): readonly [Provider, ...Provider[]] {
  const pool = poolSettings(config);
  const rest = config.failover_service_urls.map((url) => provider(url, pool));
  return [provider(config.service_url, pool), ...rest];
}

function provider(serviceUrl: string, pool: PoolSettings): Provider {
  const url = new URL(serviceUrl);
  const base = url.pathname.replace(/\/+$/, '');
  return {
    name: `${url.origin}${base}`,
    origin: url.origin,
    requestPath: `${base}/sideband/request${url.search}`,
    responsePath: `${base}/sideband/response${url.search}`,
    pool,
    poolKey: createHash('sha256')
      .update(JSON.stringify([url.origin, pool]))
      .digest('hex'),
  };
}

function poolSettings(config: PluginConfig): PoolSettings {
  const shares = 1 + config.failover_service_urls.length;
  return {
    // A provider that swallows packets must leave time for the others.
    connectTimeoutMs: Math.max(
      1,
      Math.min(config.connection_timeout_ms, Math.floor(callTimeoutMs(config) / shares)),
    ),
    verify: config.verify_service_certificate,
    caCertificate: config.ca_certificate,
    clientCertificate: config.client_certificate,
    clientKey: config.client_key,
    serverName: config.tls_server_name,
    keepAliveMs: config.connection_keepAlive_ms,
    connections: config.connections,
    maxQueued: config.max_queued_calls,
  };
}
