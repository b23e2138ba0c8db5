import type { ErrorCode } from '../errors/catalogue.js';
import { methodLabel } from '../mcp/message.js';
import type { CircuitState } from '../sideband/circuit-breaker.js';
import type { ProviderStatus } from '../sideband/sideband-runtime.js';
import {
  type DecisionRecord,
  OUTCOMES,
  type Outcome,
  PHASES,
  type Phase,
  SHADOW_RESULTS,
  type ShadowRecord,
  type ShadowResult,
} from './decision-log.js';

/** A sideband call takes 2–50 ms as a rule; deadlines lie at 10 s, at most 50 s. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Origins come from admins' configurations: few, but nothing bounds them over months of reloads. */
const MAX_PROVIDERS = 50;
/** Likewise for the routes with a shadow policy; further ones count as `other`. */
const MAX_SHADOW_ROUTES = 200;

const CIRCUIT_VALUES: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2, rate_limited: 3 };

/** What the plugin server counts; `ping_auth_rpc_…_total`. */
const RPC_COUNTERS = {
  events: 'Events (one phase of one request) that Kong started',
  eventsFailed: 'Events that the plugin server had to end itself, with 500',
  eventsRefused: 'Events refused with 503 because too many were in progress',
  instancesUnknown: 'Connections closed so that Kong sends a configuration again',
  protocolErrors: 'Connections closed because of bytes that are not the protocol',
} as const;

/** State that is read when the metrics are asked for rather than counted all the time. */
export interface Gauges {
  readonly providers?: () => readonly ProviderStatus[];
  readonly eventsInFlight?: () => number;
  readonly rpcConnections?: () => number;
  readonly rpcCounts?: () => Readonly<Record<keyof typeof RPC_COUNTERS, number>>;
  readonly inflightBytes?: () => number;
}

/** As prom-client's `getMetricsAsJSON` has it. */
interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** How the values of several processes become one. */
  readonly aggregator: 'sum' | 'max';
  readonly values: readonly Sample[];
}

interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Where it is not the name of the metric. */
  readonly metricName?: string;
}

/** Plain JSON, so that a worker can send it to its parent. Made by `snapshot`, read by aggregateSnapshots. */
export type MetricsSnapshot = readonly object[];

export interface MetricsPage {
  readonly contentType: string;
  readonly text: string;
}

export interface Metrics {
  decision(record: DecisionRecord): void;
  shadow(record: ShadowRecord): void;
  /** A sideband call was sent a second time. */
  retry(reason: 'failover' | 'stale_connection'): void;
  /** The readings replace earlier ones of the same name. */
  watch(gauges: Gauges): void;
  snapshot(): Promise<MetricsSnapshot>;
}

/**
 * Counts in plain numbers and puts them into prom-client's form when somebody asks. prom-client is loaded in this file and nowhere
 * else: without `--admin` nothing is collected and `--dump` stays quick.
 */
export async function createMetrics(options: { readonly process?: boolean } = {}): Promise<Metrics> {
  const { default: client } = await import('prom-client');
  const registry = new client.Registry();
  if (options.process !== false) client.collectDefaultMetrics({ register: registry });

  const counts = { access: new PhaseCounts('access'), response: new PhaseCounts('response') };
  const retries = { failover: 0, stale_connection: 0 };
  const shadows = new ShadowCounts();
  let gauges: Gauges = {};
  return {
    decision: (record) => counts[record.phase].count(record),
    shadow: (record) => shadows.count(record),
    retry(reason) {
      retries[reason]++;
    },
    watch(more) {
      gauges = { ...gauges, ...more };
    },
    snapshot: async () => [
      ...(await registry.getMetricsAsJSON()),
      ...decisionMetrics([counts.access, counts.response]),
      counter(
        'ping_auth_sideband_retries_total',
        'Sideband calls sent again: to another policy provider, or on a new connection',
        Object.entries(retries).map(([reason, value]) => ({ value, labels: { reason } })),
      ),
      counter(
        'ping_auth_shadow_total',
        'Questions to shadow policies by phase, result and route; docs/shadow.md explains the results',
        shadows.samples(),
      ),
      ...gaugeMetrics(gauges),
    ],
  };
}

/**
 * One page in Prometheus' text format from the snapshots of all worker processes: counters, histograms and most gauges
 * are added up; a circuit shows its worst state; event-loop lag is an average.
 */
export async function aggregateSnapshots(snapshots: readonly MetricsSnapshot[]): Promise<MetricsPage> {
  const { AggregatorRegistry } = (await import('prom-client')).default;
  const registry = AggregatorRegistry.aggregate(snapshots as unknown as object[]);
  return { contentType: registry.contentType, text: await registry.metrics() };
}

/** What became of one phase's events. */
class PhaseCounts {
  readonly phase: Phase;
  readonly outcome: Partial<Record<Outcome, number>> = {};
  readonly code: Partial<Record<ErrorCode, number>> = {};
  /** Of MCP messages; known ones only, so that clients cannot make new series. */
  readonly method: Record<string, number> = {};
  /** Calls that took at most so long, by the place of their bucket; the last for all longer ones. */
  readonly #durations: number[] = Array.from({ length: DURATION_BUCKETS.length + 1 }, () => 0);
  #durationSum = 0;

  constructor(phase: Phase) {
    this.phase = phase;
    for (const outcome of OUTCOMES) {
      // A rate over a counter that does not exist yet is no data, not 0: alerts want the series from the start.
      const belongs = phase === 'access' ? !outcome.endsWith('pass') : !outcome.endsWith('permit');
      if (belongs && !outcome.startsWith('monitor_')) this.outcome[outcome] = 0;
    }
  }

  count({ outcome, code, providerMs, mcp }: DecisionRecord): void {
    this.outcome[outcome] = (this.outcome[outcome] ?? 0) + 1;
    if (code !== undefined) this.code[code] = (this.code[code] ?? 0) + 1;
    if (mcp !== undefined) {
      const method = methodLabel(mcp);
      this.method[method] = (this.method[method] ?? 0) + 1;
    }
    if (providerMs === undefined) return;
    const seconds = providerMs / 1000;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] ?? 0)) bucket++;
    this.#durations[bucket] = (this.#durations[bucket] ?? 0) + 1;
    this.#durationSum += seconds;
  }

  durationSamples(name: string): Sample[] {
    const { phase } = this;
    let count = 0;
    const buckets = this.#durations.map((inBucket, at) => {
      count += inBucket;
      const le = DURATION_BUCKETS[at] ?? '+Inf';
      return { value: count, labels: { le, phase }, metricName: `${name}_bucket` };
    });
    return [
      ...buckets,
      { value: this.#durationSum, labels: { phase }, metricName: `${name}_sum` },
      { value: count, labels: { phase }, metricName: `${name}_count` },
    ];
  }
}

/** What became of questions to shadow policies, by route. */
class ShadowCounts {
  readonly #routes = new Map<string, Record<Phase, Record<ShadowResult, number>>>();

  count({ phase, result, routeId = 'none' }: ShadowRecord): void {
    const route = this.#routes.has(routeId) || this.#routes.size < MAX_SHADOW_ROUTES ? routeId : 'other';
    let counts = this.#routes.get(route);
    if (counts === undefined) {
      // All results of a route exist from its first question on, so that its first difference is an increase.
      const none = { same: 0, different: 0, error: 0, dropped: 0 };
      counts = { access: { ...none }, response: { ...none } };
      this.#routes.set(route, counts);
    }
    counts[phase][result]++;
  }

  samples(): Sample[] {
    return [...this.#routes].flatMap(([route, counts]) =>
      PHASES.flatMap((phase) =>
        SHADOW_RESULTS.map((result) => ({ value: counts[phase][result], labels: { phase, result, route } })),
      ),
    );
  }
}

function decisionMetrics(phases: readonly PhaseCounts[]): Metric[] {
  const by = (label: 'outcome' | 'code' | 'method') =>
    phases.flatMap((counts) =>
      Object.entries(counts[label]).map(([name, value]) => ({
        value,
        labels: { phase: counts.phase, [label]: name },
      })),
    );
  const duration = 'ping_auth_sideband_duration_seconds';
  return [
    counter('ping_auth_decisions_total', 'Decisions by phase and outcome', by('outcome')),
    counter(
      'ping_auth_errors_total',
      'Errors by phase and code; docs/errors.md explains the codes',
      by('code'),
    ),
    counter(
      'ping_auth_mcp_messages_total',
      'MCP messages by phase and method; methods that are not in the specification count as other',
      by('method'),
    ),
    counter(
      'ping_auth_fail_open_total',
      'Requests or responses that failed open: without a decision of the policy',
      phases.map(({ phase, outcome }) => ({ value: outcome.fail_open ?? 0, labels: { phase } })),
    ),
    {
      name: duration,
      help: 'Duration of calls of the policy provider, failed ones included',
      type: 'histogram',
      aggregator: 'sum',
      values: phases.flatMap((counts) => counts.durationSamples(duration)),
    },
  ];
}

function gaugeMetrics(gauges: Gauges): Metric[] {
  const known = (gauges.providers?.() ?? []).slice(0, MAX_PROVIDERS);
  const counts = gauges.rpcCounts?.();
  return [
    {
      name: 'ping_auth_circuit_state',
      help: 'Circuit breaker of a policy provider: 0 closed, 1 half open, 2 open, 3 rate limited; the worst of all worker processes',
      type: 'gauge',
      aggregator: 'max',
      values: known.map(({ provider, circuit }) => ({
        value: CIRCUIT_VALUES[circuit],
        labels: { provider },
      })),
    },
    gauge(
      'ping_auth_connections',
      'Connections to a policy provider (active, idle) and calls that wait for one (pending)',
      known.flatMap(({ provider, connections: { open, free }, calls }) => [
        { value: Math.max(0, open - free), labels: { provider, state: 'active' } },
        { value: free, labels: { provider, state: 'idle' } },
        { value: calls.queued, labels: { provider, state: 'pending' } },
      ]),
    ),
    gauge('ping_auth_events_in_flight', 'Events in progress', one(gauges.eventsInFlight?.())),
    gauge(
      'ping_auth_inflight_bytes',
      'Memory reserved for messages in progress, bytes',
      one(gauges.inflightBytes?.()),
    ),
    gauge('ping_auth_rpc_connections', 'Connections from Kong workers', one(gauges.rpcConnections?.())),
    ...(Object.keys(RPC_COUNTERS) as (keyof typeof RPC_COUNTERS)[]).map((key) => {
      const name = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      return counter(`ping_auth_rpc_${name}_total`, RPC_COUNTERS[key], one(counts?.[key]));
    }),
  ];
}

function counter(name: string, help: string, values: readonly Sample[]): Metric {
  return { name, help, type: 'counter', aggregator: 'sum', values };
}

function gauge(name: string, help: string, values: readonly Sample[]): Metric {
  return { name, help, type: 'gauge', aggregator: 'sum', values };
}

/** Of a metric without labels. */
function one(value = 0): Sample[] {
  return [{ value, labels: {} }];
}
