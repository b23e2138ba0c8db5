import type { SidebandObserver } from '../sideband/observer.js';
import type { Metrics } from './metrics.js';
import { redactText } from './redaction.js';

type Notice = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Readonly<Record<string, string | number>>,
) => void;

/** Lines and counts of what happens between two decisions: failovers, circuit breakers, stale connections. */
export function createSidebandObserver(notice: Notice, metrics: Metrics | undefined): SidebandObserver {
  return {
    providerFailed({ phase, provider, code, detail, next }) {
      if (next === undefined) return; // The decision line says it.
      metrics?.retry('failover');
      notice('warn', 'policy provider failed, another one is called', {
        phase: phase === 'request' ? 'access' : 'response',
        provider,
        next,
        code,
        detail: redactText(detail, 600),
      });
    },
    circuitChanged({ provider, from, to, secondsLeft }) {
      const level = to === 'closed' ? 'info' : 'warn';
      notice(level, `circuit breaker of the policy provider: ${from} → ${to}`, {
        provider,
        from,
        to,
        seconds_left: secondsLeft,
      });
    },
    staleConnection() {
      // Every restart of a provider brings many; worth a count, not a line each.
      metrics?.retry('stale_connection');
    },
  };
}
