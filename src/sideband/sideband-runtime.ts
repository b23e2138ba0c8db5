import { type Clock, SYSTEM_CLOCK } from './call-deadline.js';
import { CircuitBreaker, type CircuitState } from './circuit-breaker.js';
import { ConnectionPool } from './connection-pool.js';
import type { Provider } from './provider.js';
import type { createConnector } from './tls-connector.js';

/** Connections without a call for so long are closed. */
const DISUSE_MS = 600_000;

/** For /health/ready and the metrics. */
export interface ProviderStatus {
  readonly provider: string;
  readonly circuit: CircuitState;
  /** Seconds until calls are made again; 0 when they are. */
  readonly secondsLeft: number;
  /** Called after all others, because it gave no answer. */
  readonly ejected: boolean;
  readonly connections: { readonly open: number; readonly free: number };
  readonly calls: { readonly underWay: number; readonly queued: number };
}

/** One provider of one instance, with the circuit breaker and the connections that it shares. */
export interface LinkedProvider extends Pick<Provider, 'name' | 'requestPath' | 'responsePath'> {
  readonly breaker: CircuitBreaker;
  readonly pool: ConnectionPool;
}

interface KnownProvider {
  readonly breaker: CircuitBreaker;
  /** How many instances name it. */
  users: number;
  lastUsed: number;
  readonly pools: Set<ConnectionPool>;
}

/**
 * What all instances of the process share: circuit breakers by provider, connections by host, TLS settings and limits. Kong
 * drops and restarts its instances at every change of its configuration; nothing here notices.
 */
export class SidebandRuntime {
  readonly clock: Clock;
  readonly #connectorFor: typeof createConnector | undefined;
  readonly #providers = new Map<string, KnownProvider>();
  readonly #pools = new Map<string, ConnectionPool>();

  /** @param connectorFor how connections are opened */
  constructor(clock: Clock = SYSTEM_CLOCK, connectorFor?: typeof createConnector) {
    this.clock = clock;
    this.#connectorFor = connectorFor;
  }

  /** An instance names this provider. @returns it with what it shares with other instances */
  retain(provider: Provider): LinkedProvider {
    const known = this.#known(provider.name);
    known.users++;
    this.#sweep();
    const { name, requestPath, responsePath } = provider;
    const pool = this.#poolOf(provider);
    known.pools.add(pool);
    return { name, requestPath, responsePath, breaker: known.breaker, pool };
  }

  /** It no longer does. Its connections stay for others, or for its successor. */
  release(provider: Provider): void {
    const known = this.#known(provider.name);
    known.users = Math.max(0, known.users - 1);
    this.#sweep();
  }

  get status(): readonly ProviderStatus[] {
    this.#sweep();
    return [...this.#providers].map(([provider, { breaker, pools }]) => {
      const sum = (count: (pool: ConnectionPool) => number) =>
        [...pools].reduce((total, pool) => total + count(pool), 0);
      return {
        provider,
        circuit: breaker.state,
        secondsLeft: breaker.secondsLeft,
        ejected: [...pools].some((pool) => !pool.ejection.isQuiet),
        connections: {
          open: sum((pool) => pool.connections.open),
          free: sum((pool) => pool.connections.free),
        },
        calls: { underWay: sum((pool) => pool.underWay), queued: sum((pool) => pool.queued) },
      };
    });
  }

  /** Ends all connections at once; calls under way fail. For the end of the process. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    this.#providers.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  #poolOf(provider: Provider): ConnectionPool {
    let pool = this.#pools.get(provider.poolKey);
    if (pool === undefined) {
      pool = new ConnectionPool(provider.origin, provider.pool, this.clock, this.#connectorFor);
      this.#pools.set(provider.poolKey, pool);
    }
    return pool;
  }

  #known(name: string): KnownProvider {
    let known = this.#providers.get(name);
    if (known === undefined) {
      known = { breaker: new CircuitBreaker(this.clock), users: 0, lastUsed: 0, pools: new Set() };
      this.#providers.set(name, known);
    }
    known.lastUsed = this.clock.now();
    return known;
  }

  /** Forgets providers that no instance names, and closes unused connections, after long disuse. */
  #sweep(): void {
    const now = this.clock.now();
    for (const [name, { users, lastUsed }] of this.#providers) {
      if (users === 0 && now - lastUsed > DISUSE_MS) this.#providers.delete(name);
    }
    for (const [key, pool] of this.#pools) {
      if (pool.idleMs <= DISUSE_MS) continue;
      pool.close();
      const isKnown = [...this.#providers.values()].some(({ pools }) => pools.has(pool));
      if (!isKnown) this.#pools.delete(key);
    }
  }
}

/** The one of this process. */
export const PROCESS_RUNTIME = new SidebandRuntime();
