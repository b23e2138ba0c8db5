import { asPingAuthError } from '../errors/ping-auth-error.js';
import type { SidebandObserver } from '../sideband/observer.js';
import {
  type DecisionRecord,
  decisionFields,
  decisionLevel,
  type Outcome,
  type ShadowRecord,
  shadowFields,
} from './decision-log.js';
import { type ExchangeSink, exchangeFields, type SidebandExchange } from './exchange-recorder.js';
import type { Log } from './logger.js';
import type { Metrics } from './metrics.js';
import { redactText } from './redaction.js';

/** Which decisions are worth a line on standard output, where it costs Kong's worker time even when Kong drops it. */
export type DecisionLines = 'all' | 'changes' | 'refusals';

const UNCHANGED: readonly Outcome[] = ['permit', 'pass', 'monitor_permit', 'monitor_pass'];
/** Outcomes without a line on standard output; a log file gets all lines. */
const HIDDEN: Readonly<Record<DecisionLines, ReadonlySet<Outcome>>> = {
  all: new Set(),
  changes: new Set(UNCHANGED),
  refusals: new Set([...UNCHANGED, 'change', 'monitor_change'] as const),
};

/** Everything the plugin tells the outside world about its work. No method throws or waits. */
export interface Telemetry {
  /** One line and one count; called exactly once for each phase of each request. */
  decision(record: DecisionRecord): void;
  /** One line and one count; called once for each question to a shadow policy. */
  shadow(record: ShadowRecord): void;
  /** Only for instances with `enable_debug_logging`. */
  sidebandExchange(exchange: SidebandExchange): void;
  /** For every instance, when the plugin server records (`--record-file`); undefined when it does not, so ask before an exchange is put together. */
  readonly record?: (exchange: SidebandExchange) => void;
  /** Something that went wrong outside the decision of one request. `what` says where, in a few words. */
  problem(what: string, thrown: unknown, fields?: Readonly<Record<string, string | number>>): void;
  /** A remark for the operator: an instance started without certificate check, a circuit that opened … */
  notice(
    level: 'info' | 'warn' | 'error',
    message: string,
    fields?: Readonly<Record<string, string | number>>,
  ): void;
  /** For the sideband client. */
  readonly sideband: SidebandObserver;
  /** Call with every secret before its first use. */
  hideSecret(secret: string): void;
}

/** @param decisions which decisions get a line on standard output */
export function createTelemetry(
  log: Log,
  metrics?: Metrics,
  decisions: DecisionLines = 'changes',
  recorder?: ExchangeSink,
): Telemetry {
  const { logger, fileLogger } = log;
  const notice: Telemetry['notice'] = (level, text, fields = {}) => {
    logger[level]({ event: 'notice', ...fields }, text);
  };
  return {
    notice,
    sideband: sidebandObserver(notice, metrics),
    decision(record) {
      metrics?.decision(record);
      const target = HIDDEN[decisions].has(record.outcome) ? fileLogger : logger;
      if (target === undefined) return;
      const level = decisionLevel(record);
      if (target.isLevelEnabled(level)) target[level](decisionFields(record), message(record));
    },
    shadow(record) {
      metrics?.shadow(record);
      // A shadow policy that is down would write a line for every request.
      const isShown = decisions === 'all' || (decisions === 'changes' && record.result === 'different');
      const target = isShown ? logger : fileLogger;
      if (target?.isLevelEnabled('info')) target.info(shadowFields(record), `shadow: ${record.result}`);
    },
    sidebandExchange(exchange) {
      // At info: enable_debug_logging itself is the switch, an admin must not have to find a second one.
      if (logger.isLevelEnabled('info'))
        logger.info(
          exchangeFields(exchange),
          exchange.payload === undefined ? 'shadow call' : 'sideband call',
        );
    },
    ...(recorder && { record: (exchange: SidebandExchange) => recorder.record(exchange) }),
    problem(what, thrown, fields = {}) {
      const error = asPingAuthError(thrown);
      const detail = error.detail === undefined ? undefined : redactText(error.detail, 600);
      const stack = error.code === 'internal_error' ? causeOf(error) : undefined;
      logger[error.entry.level]({ event: 'problem', ...fields, code: error.code, detail, stack }, what);
    },
    hideSecret: (secret) => log.hideSecret(secret),
  };
}

/** For tests of other modules and for hosts without a log. */
export const SILENT_TELEMETRY: Telemetry = {
  decision() {},
  shadow() {},
  sidebandExchange() {},
  problem() {},
  notice() {},
  sideband: {},
  hideSecret() {},
};

function message({ phase, outcome, code }: DecisionRecord): string {
  return code === undefined ? `${phase}: ${outcome}` : `${phase}: ${outcome} (${code})`;
}

function causeOf(error: Error): string | undefined {
  const { cause } = error;
  return cause instanceof Error ? redactText(cause.stack ?? cause.message, 2000) : undefined;
}

/** Lines and counts of what happens between two decisions: failovers, circuit breakers, stale connections. */
function sidebandObserver(notice: Telemetry['notice'], metrics: Metrics | undefined): SidebandObserver {
  return {
    providerFailed({ phase, provider, code, detail, next }) {
      if (next === undefined) return; // The decision line says it.
      metrics?.retry('failover');
      notice('warn', 'policy provider failed, another one is called', {
        phase: phase === 'request' ? 'access' : 'response',
        ...{ provider, next, code, detail: redactText(detail, 600) },
      });
    },
    circuitChanged({ provider, from, to, secondsLeft }) {
      const level = to === 'closed' ? 'info' : 'warn';
      const fields = { provider, from, to, seconds_left: secondsLeft };
      notice(level, `circuit breaker of the policy provider: ${from} → ${to}`, fields);
    },
    staleConnection() {
      // Every restart of a provider brings many; worth a count, not a line each.
      metrics?.retry('stale_connection');
    },
  };
}
