import { configWarnings } from '../config/config-warnings.js';
import { parseConfig } from '../config/parse-config.js';
import type { PluginConfig } from '../config/schema.js';
import { asPingAuthError, type PingAuthError } from '../errors/ping-auth-error.js';
import { type BodyRules, bodyRules } from '../http/body.js';
import { portOf } from '../http/request-url.js';
import type { ReadLimits } from '../kong/gateway.js';
import { type OriginCheck, originCheck } from '../mcp/origin.js';
import type { ResponseRules } from '../mcp/response-rules.js';
import { createSidebandClient, type SidebandClient } from '../sideband/sideband-client.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { isTracing } from '../telemetry/tracing.js';
import { ErrorLogLimiter } from './error-log-limiter.js';
import { type PluginHost, STOCK_HOST } from './host.js';
import type { MemoryBudget } from './memory-budget.js';
import type { Shared } from './runtime.js';
import { Shadow } from './shadow.js';

/** One configuration of the plugin, as Kong knows it. Holds nothing of any request. */
export interface Instance {
  readonly telemetry: Telemetry;
  readonly routeId: string | undefined;
  readonly serviceId: string | undefined;
  readonly errorLog: ErrorLogLimiter;
  /** Shared by all instances of the process. */
  readonly budget: MemoryBudget;
  /** What it decides with; or why it refuses everything, since Kong has no way to be told after its own checks. */
  readonly setup: Setup | PingAuthError;
}

/** What is the same for all requests of an instance, made once. */
export interface Setup {
  readonly config: PluginConfig;
  readonly client: SidebandClient;
  readonly readLimits: ReadLimits;
  readonly requestBodyRules: BodyRules;
  readonly responseBodyRules: BodyRules;
  /** `excluded_request_headers` in lower case. */
  readonly excluded: ReadonlySet<string>;
  /** undefined: the route does not lead to an MCP server. */
  readonly mcp: McpSetup | undefined;
  /** undefined: no shadow policy is asked. */
  readonly shadow: Shadow | undefined;
  /** Whether Kong runs a response phase after the access phase. */
  readonly hasResponsePhase: boolean;
  /** Whether an OpenTelemetry SDK was loaded before the instance started. */
  readonly isTracing: boolean;
  /** Whether somebody wants both messages of every call. */
  readonly isRecorded: boolean;
  /** Of the first policy provider; for spans. */
  readonly address: { readonly host: string; readonly port: number };
}

export interface McpSetup {
  /** Whether Kong holds responses back until they are complete, so that endless ones are refused. */
  readonly buffersResponses: boolean;
  readonly denials: 'json_rpc' | 'http';
  /** Throws for a request from a web page that `mcp_allowed_origins` does not list. */
  readonly checkOrigin: OriginCheck;
  readonly responseRules: ResponseRules;
}

/**
 * @param raw the admin's configuration with Kong's additions (`route_id`, `$refs` …); an invalid one is
 *   reported once and gives an instance that refuses everything
 */
export function startInstance(
  raw: unknown,
  host: PluginHost,
  { telemetry, budget, sideband, shadows }: Shared,
): Instance {
  const routeId = textAt(raw, 'route_id');
  const serviceId = textAt(raw, 'service_id');
  const where: Record<string, string> = {};
  if (routeId !== undefined) where.route = routeId;
  if (serviceId !== undefined) where.service = serviceId;
  const identity = { telemetry, routeId, serviceId, errorLog: new ErrorLogLimiter(), budget };
  try {
    const config = parseConfig(raw);
    telemetry.hideSecret(config.shared_secret);
    if (config.client_key !== undefined) telemetry.hideSecret(config.client_key);
    if (config.shadow_shared_secret !== undefined) telemetry.hideSecret(config.shadow_shared_secret);
    for (const warning of configWarnings(config)) telemetry.notice('warn', warning, where);
    const client = createSidebandClient(config, telemetry.sideband, sideband);
    const shadow = Shadow.of(config, { telemetry, routeId, serviceId, limits: shadows });
    return { ...identity, setup: createSetup(config, client, host, telemetry, shadow) };
  } catch (thrown) {
    const error = asPingAuthError(thrown);
    telemetry.problem('every request of this configuration is refused', error, where);
    return { ...identity, errorLog: new ErrorLogLimiter(undefined, error.detail), setup: error };
  }
}

export function createSetup(
  config: PluginConfig,
  client: SidebandClient,
  host: PluginHost,
  telemetry: Pick<Telemetry, 'record'>,
  shadow?: Shadow,
): Setup {
  const address = new URL(config.service_url);
  const hasResponsePhase = host.phases?.includes('response') ?? true;
  return {
    config,
    client,
    readLimits: {
      readBody: config.send_request_body,
      maxBodyBytes: config.max_request_body_bytes,
      overLimit: config.request_body_over_limit,
      hostLimitsBody: host !== STOCK_HOST,
    },
    requestBodyRules: bodyRules('request', config),
    responseBodyRules: bodyRules('response', config),
    excluded: new Set(config.excluded_request_headers),
    mcp: config.mcp
      ? {
          buffersResponses: hasResponsePhase,
          denials: config.mcp_denials,
          checkOrigin: originCheck(config.mcp_allowed_origins),
          responseRules: {
            maxTtlMs: config.mcp_max_ttl_ms,
            resourceMetadataUrl: config.mcp_resource_metadata_url,
          },
        }
      : undefined,
    shadow,
    hasResponsePhase,
    isTracing: isTracing(),
    isRecorded: config.enable_debug_logging || telemetry.record !== undefined,
    address: { host: address.hostname, port: portOf(address) },
  };
}

function textAt(raw: unknown, key: string): string | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined;
  const value = (raw as Readonly<Record<string, unknown>>)[key];
  return typeof value === 'string' ? value : undefined;
}
