import { Circuit, type CircuitState, type Clock, SYSTEM_CLOCK } from './circuit.js';
import type { Provider } from './provider.js';
import { type createConnector, ProviderConnections } from './provider-connections.js';

/** Connections that no instance wants and nobody has used for so long are closed. */
const DISUSE_MS = 600_000;

/** For /health/ready and the metrics. */
export interface ProviderStatus {
  readonly provider: string;
  readonly circuit: CircuitState;
  /** Seconds until calls are made again; 0 when they are. */
  readonly secondsLeft: number;
  /** Left out because it could not be reached, as long as there is another. */
  readonly avoided: boolean;
  readonly connections: { readonly open: number; readonly free: number };
  readonly calls: { readonly underWay: number; readonly queued: number };
}

interface KnownProvider {
  readonly name: string;
  readonly circuit: Circuit;
  /** How many instances name it. */
  users: number;
  lastUsed: number;
  readonly poolKeys: Set<string>;
}

/**
 * What all instances of the process share: circuits by provider, connections by host, TLS settings and limits. Kong
 * drops and restarts its instances at every change of its configuration; nothing here notices.
 */
export class SidebandRuntime {
  readonly clock: Clock;
  readonly #connectorFor: typeof createConnector | undefined;
  readonly #providers = new Map<string, KnownProvider>();
  readonly #connections = new Map<string, ProviderConnections>();

  /** @param connectorFor how connections are opened */
  constructor(clock: Clock = SYSTEM_CLOCK, connectorFor?: typeof createConnector) {
    this.clock = clock;
    this.#connectorFor = connectorFor;
  }

  /** An instance names this provider. */
  retain(provider: Provider): void {
    this.#known(provider).users++;
    this.#sweep();
  }

  /** It no longer does. Its connections stay for others, or for its successor. */
  release(provider: Provider): void {
    const known = this.#known(provider);
    known.users = Math.max(0, known.users - 1);
    this.#sweep();
  }

  /** The provider with what it shares with other instances; for an instance that has retained it. */
  link(provider: Provider): LinkedProvider {
    return new LinkedProvider(provider, this.#known(provider).circuit, () => this.#connectionsOf(provider));
  }

  get status(): readonly ProviderStatus[] {
    this.#sweep();
    return [...this.#providers.values()].map((known) => {
      const all = [...known.poolKeys].flatMap((key) => this.#connections.get(key) ?? []);
      const sum = (count: (one: ProviderConnections) => number) =>
        all.reduce((total, one) => total + count(one), 0);
      return {
        provider: known.name,
        circuit: known.circuit.state,
        secondsLeft: known.circuit.secondsLeft,
        avoided: all.some((one) => one.avoidance.active),
        connections: { open: sum((one) => one.stats.connected), free: sum((one) => one.stats.free) },
        calls: { underWay: sum((one) => one.limiter.taken), queued: sum((one) => one.limiter.queued) },
      };
    });
  }

  /** Ends all connections at once; calls under way fail. For the end of the process. */
  async close(): Promise<void> {
    const all = [...this.#connections.values()];
    this.#connections.clear();
    this.#providers.clear();
    await Promise.all(all.map((connections) => connections.destroy()));
  }

  /** Made when they are first wanted, also for an instance that was released and still has a call to make. */
  #connectionsOf(provider: Provider): ProviderConnections {
    let connections = this.#connections.get(provider.poolKey);
    if (connections === undefined) {
      connections = new ProviderConnections(provider.origin, provider.pool, this.clock, this.#connectorFor);
      this.#connections.set(provider.poolKey, connections);
    }
    this.#known(provider).poolKeys.add(provider.poolKey);
    return connections;
  }

  #known(provider: Provider): KnownProvider {
    let known = this.#providers.get(provider.name);
    if (known === undefined) {
      known = {
        name: provider.name,
        circuit: new Circuit(this.clock),
        users: 0,
        lastUsed: 0,
        poolKeys: new Set(),
      };
      this.#providers.set(provider.name, known);
    }
    known.lastUsed = this.clock.now();
    return known;
  }

  /** Forgets providers that no instance names, and closes connections that nobody used, after long disuse. */
  #sweep(): void {
    const now = this.clock.now();
    for (const [name, known] of this.#providers) {
      if (known.users === 0 && now - known.lastUsed > DISUSE_MS) this.#providers.delete(name);
    }
    for (const [key, connections] of this.#connections) {
      if (connections.idleMs <= DISUSE_MS) continue;
      // Idle: there is no call to fail. Whoever comes back gets new ones.
      this.#connections.delete(key);
      void connections.destroy();
    }
    for (const { poolKeys } of this.#providers.values()) {
      for (const key of poolKeys) if (!this.#connections.has(key)) poolKeys.delete(key);
    }
  }
}

/** One provider of one instance, with the circuit and the connections that it shares. */
export class LinkedProvider {
  /** Scheme, host, port and path. */
  readonly name: string;
  readonly requestPath: string;
  readonly responsePath: string;
  readonly circuit: Circuit;
  readonly #find: () => ProviderConnections;
  #connections: ProviderConnections | undefined;

  constructor(provider: Provider, circuit: Circuit, find: () => ProviderConnections) {
    this.name = provider.name;
    this.requestPath = provider.requestPath;
    this.responsePath = provider.responsePath;
    this.circuit = circuit;
    this.#find = find;
  }

  /** Ask for every call: after long disuse there are others. */
  get connections(): ProviderConnections {
    if (this.#connections === undefined || this.#connections.destroyed) this.#connections = this.#find();
    return this.#connections;
  }
}

/** The one of this process. */
export const PROCESS_RUNTIME = new SidebandRuntime();
