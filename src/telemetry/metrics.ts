import type prom from 'prom-client';
import { ERRORS, type ErrorCode } from '../errors/catalogue.js';
import { methodLabel } from '../mcp/message.js';
import type { CircuitState } from '../sideband/circuit-breaker.js';
import { type DecisionRecord, OUTCOMES, type Outcome, PHASES, type Phase } from './decision-log.js';
import { SHADOW_RESULTS, type ShadowRecord, type ShadowResult } from './shadow-log.js';

type Prom = typeof prom;

/** A sideband call takes 2–50 ms as a rule; deadlines lie at 10 s, at most 50 s. */
const DURATION_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Origins come from admins' configurations: few, but nothing bounds them over months of reloads. */
const MAX_PROVIDERS = 50;
/** Likewise for the routes with a shadow policy; further ones count as `other`. */
const MAX_SHADOW_ROUTES = 200;

const CIRCUIT_VALUES: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2, rate_limited: 3 };

export const CONNECTION_STATES = ['active', 'idle', 'pending'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

const RETRY_REASONS = ['failover', 'stale_connection'] as const;
export type RetryReason = (typeof RETRY_REASONS)[number];

/** State that is read when somebody asks for the metrics rather than counted all the time. */
export interface Gauges {
  readonly circuits?: () => Iterable<readonly [provider: string, state: CircuitState]>;
  readonly connections?: () => Iterable<readonly [provider: string, state: ConnectionState, count: number]>;
  readonly eventsInFlight?: () => number;
  readonly rpcConnections?: () => number;
  readonly rpcCounts?: () => RpcCounts;
  readonly inflightBytes?: () => number;
}

/** What the plugin server counts; `ping_auth_rpc_…_total`. */
const RPC_COUNTERS = {
  events: 'Events (one phase of one request) that Kong started',
  eventsFailed: 'Events that the plugin server had to end itself, with 500',
  eventsRefused: 'Events refused with 503 because too many were in progress',
  instancesUnknown: 'Connections closed so that Kong sends a configuration again',
  protocolErrors: 'Connections closed because of bytes that are not the protocol',
} as const;
export type RpcCounts = Readonly<Record<keyof typeof RPC_COUNTERS, number>>;

/** Plain JSON, so that a worker can send it to its parent. Made by `snapshot`, read by aggregateSnapshots. */
export type MetricsSnapshot = readonly object[];

export interface Metrics {
  decision(record: DecisionRecord): void;
  shadow(record: ShadowRecord): void;
  /** A sideband call was sent a second time. */
  retry(reason: RetryReason): void;
  /** The readings replace earlier ones of the same name. */
  watch(gauges: Gauges): void;
  snapshot(): Promise<MetricsSnapshot>;
}

/** prom-client is loaded here and nowhere else: without `--admin` nothing is collected and `--dump` stays quick. */
export async function createMetrics(options: { readonly process?: boolean } = {}): Promise<Metrics> {
  const { default: client } = await import('prom-client');
  const registry = new client.Registry();
  if (options.process !== false) client.collectDefaultMetrics({ register: registry });

  // Counted in plain numbers; prom-client is told when somebody asks.
  const counts = { access: new PhaseCounts('access'), response: new PhaseCounts('response') };
  const retries: Record<RetryReason, number> = { failover: 0, stale_connection: 0 };
  defineCounters(client, registry, Object.values(counts), retries);
  const shadows = new ShadowCounts();
  defineShadowCounter(client, registry, shadows);
  let gauges: Gauges = {};
  defineGauges(client, registry, () => gauges);
  defineRpcCounters(client, registry, () => gauges);

  return {
    decision: (record) => counts[record.phase].count(record),
    shadow: (record) => shadows.count(record),
    retry(reason) {
      retries[reason]++;
    },
    watch(more) {
      gauges = { ...gauges, ...more };
    },
    snapshot: async () => (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot,
  };
}

/** What became of one phase's events. */
class PhaseCounts {
  readonly phase: Phase;
  readonly outcomes: Partial<Record<Outcome, number>> = {};
  readonly codes: Partial<Record<ErrorCode, number>> = {};
  /** MCP messages by method; known ones only, so that clients cannot make new series. */
  readonly methods: Record<string, number> = {};
  /** Calls that took at most so long, by the place of their bucket; the last for all longer ones. */
  readonly durations: number[] = Array.from({ length: DURATION_BUCKETS.length + 1 }, () => 0);
  durationSum = 0;

  constructor(phase: Phase) {
    this.phase = phase;
    for (const outcome of OUTCOMES) {
      // A rate over a counter that does not exist yet is no data, not 0: alerts want the series from the start.
      const belongs = phase === 'access' ? !outcome.endsWith('pass') : !outcome.endsWith('permit');
      if (belongs && !outcome.startsWith('monitor_')) this.outcomes[outcome] = 0;
    }
  }

  count({ outcome, code, providerMs, mcp }: DecisionRecord): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
    if (code !== undefined) {
      const known = knownCode(code);
      this.codes[known] = (this.codes[known] ?? 0) + 1;
    }
    if (mcp !== undefined) {
      const method = methodLabel(mcp);
      this.methods[method] = (this.methods[method] ?? 0) + 1;
    }
    if (providerMs === undefined) return;
    const seconds = providerMs / 1000;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] ?? 0)) bucket++;
    this.durations[bucket] = (this.durations[bucket] ?? 0) + 1;
    this.durationSum += seconds;
  }
}

type ShadowResults = Record<Phase, Record<ShadowResult, number>>;

/** What became of questions to shadow policies, by route. */
class ShadowCounts {
  readonly routes = new Map<string, ShadowResults>();

  count({ phase, result, routeId = 'none' }: ShadowRecord): void {
    const route = this.routes.has(routeId) || this.routes.size < MAX_SHADOW_ROUTES ? routeId : 'other';
    let counts = this.routes.get(route);
    if (counts === undefined) {
      // All results of a route exist from its first question on, so that its first difference is an increase.
      counts = { access: noResults(), response: noResults() };
      this.routes.set(route, counts);
    }
    counts[phase][result]++;
  }
}

function noResults(): Record<ShadowResult, number> {
  return { same: 0, different: 0, error: 0, dropped: 0 };
}

function defineShadowCounter(client: Prom, registry: prom.Registry, { routes }: ShadowCounts): void {
  new client.Counter({
    name: 'ping_auth_shadow_total',
    help: 'Questions to shadow policies by phase, result and route; docs/shadow.md explains the results',
    labelNames: ['phase', 'result', 'route'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [route, counts] of routes) {
        for (const phase of PHASES) {
          for (const result of SHADOW_RESULTS) this.inc({ phase, result, route }, counts[phase][result]);
        }
      }
    },
  });
}

function defineCounters(
  client: Prom,
  registry: prom.Registry,
  phases: readonly PhaseCounts[],
  retries: Readonly<Record<RetryReason, number>>,
): void {
  const registers = [registry];
  const byPhase = (
    name: string,
    help: string,
    label: string,
    countsOf: (phase: PhaseCounts) => Readonly<Record<string, number>>,
  ) =>
    new client.Counter({
      name,
      help,
      labelNames: ['phase', label],
      registers,
      collect() {
        this.reset();
        for (const one of phases) {
          const { phase } = one;
          for (const [value, count] of Object.entries(countsOf(one)))
            this.inc({ phase, [label]: value }, count);
        }
      },
    });
  byPhase('ping_auth_decisions_total', 'Decisions by phase and outcome', 'outcome', (one) => one.outcomes);
  byPhase(
    'ping_auth_errors_total',
    'Errors by phase and code; docs/errors.md explains the codes',
    'code',
    (one) => one.codes,
  );
  byPhase(
    'ping_auth_mcp_messages_total',
    'MCP messages by phase and method; methods that are not in the specification count as other',
    'method',
    (one) => one.methods,
  );
  new client.Counter({
    name: 'ping_auth_fail_open_total',
    help: 'Requests or responses that went on without a decision of the policy',
    labelNames: ['phase'],
    registers,
    collect() {
      this.reset();
      for (const { phase, outcomes } of phases) this.inc({ phase }, outcomes.fail_open ?? 0);
    },
  });
  new client.Counter({
    name: 'ping_auth_sideband_retries_total',
    help: 'Sideband calls sent again: to another policy provider, or on a new connection',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      for (const reason of RETRY_REASONS) this.inc({ reason }, retries[reason]);
    },
  });
  registry.registerMetric(new DurationHistogram(phases) as unknown as prom.Metric);
}

/** prom-client's own histogram can only be told single observations; a registry takes whatever can be asked like one. */
class DurationHistogram {
  readonly name = 'ping_auth_sideband_duration_seconds';
  readonly #phases: readonly PhaseCounts[];

  constructor(phases: readonly PhaseCounts[]) {
    this.#phases = phases;
  }

  async get(): Promise<object> {
    const { name } = this;
    const values = this.#phases.flatMap(({ phase, durations, durationSum }) => {
      let count = 0;
      const buckets = durations.map((inBucket, at) => {
        count += inBucket;
        const le = DURATION_BUCKETS[at] ?? '+Inf';
        return { labels: { le, phase }, value: count, metricName: `${name}_bucket` };
      });
      return [
        ...buckets,
        { labels: { phase }, value: durationSum, metricName: `${name}_sum` },
        { labels: { phase }, value: count, metricName: `${name}_count` },
      ];
    });
    const help = 'Duration of calls of the policy provider, failed ones included';
    return { name, help, type: 'histogram', values, aggregator: 'sum' };
  }

  reset(): void {}
}

function defineRpcCounters(client: Prom, registry: prom.Registry, current: () => Gauges): void {
  for (const [key, help] of Object.entries(RPC_COUNTERS)) {
    const name = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    new client.Counter({
      name: `ping_auth_rpc_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(current().rpcCounts?.()[key as keyof RpcCounts] ?? 0);
      },
    });
  }
}

function defineGauges(client: Prom, registry: prom.Registry, current: () => Gauges): void {
  const registers = [registry];
  new client.Gauge({
    name: 'ping_auth_circuit_state',
    help: 'Circuit breaker of a policy provider: 0 closed, 1 half open, 2 open, 3 rate limited; the worst of all worker processes',
    labelNames: ['provider'],
    aggregator: 'max',
    registers,
    collect() {
      this.reset();
      for (const [provider, state] of bounded(current().circuits?.())) {
        this.set({ provider }, CIRCUIT_VALUES[state]);
      }
    },
  });
  new client.Gauge({
    name: 'ping_auth_connections',
    help: 'Connections to a policy provider (active, idle) and calls that wait for one (pending)',
    labelNames: ['provider', 'state'],
    registers,
    collect() {
      this.reset();
      for (const [provider, state, count] of bounded(current().connections?.(), CONNECTION_STATES.length)) {
        this.inc({ provider, state }, count);
      }
    },
  });
  const plain = (name: string, help: string, read: () => number | undefined) =>
    new client.Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read() ?? 0);
      },
    });
  plain('ping_auth_events_in_flight', 'Events in progress', () => current().eventsInFlight?.());
  plain('ping_auth_inflight_bytes', 'Memory reserved for messages in progress, bytes', () =>
    current().inflightBytes?.(),
  );
  plain('ping_auth_rpc_connections', 'Connections from Kong workers', () => current().rpcConnections?.());
}

function* bounded<T extends readonly [string, ...unknown[]]>(
  readings: Iterable<T> | undefined,
  each = 1,
): Iterable<T> {
  let left = MAX_PROVIDERS * each;
  for (const reading of readings ?? []) {
    if (left === 0) return;
    left -= 1;
    yield reading;
  }
}

/** Codes are typed, yet a label is for ever: anything else counts as our own fault. */
function knownCode(code: ErrorCode): ErrorCode {
  return Object.hasOwn(ERRORS, code) ? code : 'internal_error';
}
