import type { SidebandObserver } from '../sideband/observer.js';
import type { ProviderStatus } from '../sideband/sideband-runtime.js';
import type { ConnectionState, Gauges, Metrics } from './metrics.js';
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

/** For `Metrics.watch`, from what the sideband client knows of its providers when it is asked. */
export function sidebandGauges(status: () => readonly ProviderStatus[]): Gauges {
  return {
    circuits: () => status().map(({ provider, circuit }) => [provider, circuit] as const),
    connections: () =>
      status().flatMap(({ provider, connections, calls }) => {
        const states: [ConnectionState, number][] = [
          ['active', Math.max(0, connections.open - connections.free)],
          ['idle', connections.free],
          ['pending', calls.queued],
        ];
        return states.map(([state, count]) => [provider, state, count] as const);
      }),
  };
}
