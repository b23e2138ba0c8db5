import { configWarnings } from '../config/config-warnings.js';
import { parseConfig } from '../config/parse-config.js';
import type { PluginConfig } from '../config/plugin-config.js';
import { asPingAuthError, type PingAuthError } from '../errors/ping-auth-error.js';
import { createSidebandClient, type SidebandClient } from '../sideband/sideband-client.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { PluginHost } from './host.js';

/** One configuration of the plugin, as Kong knows it. Holds nothing of any request. */
export interface Instance {
  readonly telemetry: Telemetry;
  readonly host: PluginHost;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  /** What it decides with; or why it refuses everything, since Kong has no way to be told after its own checks. */
  readonly setup: Setup | PingAuthError;
}

export interface Setup {
  readonly config: PluginConfig;
  readonly client: SidebandClient;
  /** Of the first policy provider; for spans. */
  readonly address: { readonly host: string; readonly port: number };
}

/**
 * @param raw the admin's configuration with Kong's additions (`route_id`, `$refs` …); an invalid one is
 *   reported once and gives an instance that refuses everything
 */
export function startInstance(raw: unknown, host: PluginHost, telemetry: Telemetry): Instance {
  const identity = {
    telemetry,
    host,
    routeId: textAt(raw, 'route_id'),
    serviceId: textAt(raw, 'service_id'),
  };
  const where: Record<string, string> = {};
  if (identity.routeId !== undefined) where.route = identity.routeId;
  if (identity.serviceId !== undefined) where.service = identity.serviceId;
  try {
    const config = parseConfig(raw);
    telemetry.hideSecret(config.shared_secret);
    if (config.client_key !== undefined) telemetry.hideSecret(config.client_key);
    for (const warning of configWarnings(config)) telemetry.notice('warn', warning, where);
    return {
      ...identity,
      setup: {
        config,
        client: createSidebandClient(config, telemetry.sideband),
        address: addressOf(config.service_url),
      },
    };
  } catch (thrown) {
    const error = asPingAuthError(thrown);
    telemetry.problem('every request of this configuration is refused', error, where);
    return { ...identity, setup: error };
  }
}

/** @throws PingAuthError when the configuration is invalid */
export function ready(instance: Instance): Setup {
  if (instance.setup instanceof Error) throw instance.setup;
  return instance.setup;
}

function addressOf(serviceUrl: string): { host: string; port: number } {
  const { hostname, port, protocol } = new URL(serviceUrl);
  return { host: hostname, port: port === '' ? (protocol === 'http:' ? 80 : 443) : Number(port) };
}

function textAt(raw: unknown, key: string): string | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const value = (raw as Readonly<Record<string, unknown>>)[key];
  return typeof value === 'string' ? value : undefined;
}
