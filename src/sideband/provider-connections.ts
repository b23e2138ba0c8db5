import { Pool } from 'undici';
import { Avoidance } from './avoidance.js';
import { CallSlots } from './call-slots.js';
import type { Clock } from './clock.js';
import { type ConnectSettings, createConnector } from './connector.js';
import { ReusedClient } from './http-exchange.js';

/** Connections are renewed this often, so that a changed DNS entry is followed. */
export const CONNECTION_MAX_AGE_MS = 60_000;

/** Enough for proxies that add a lot; an endless head ends here. */
const MAX_HEAD_BYTES = 65_536;

export interface PoolSettings extends ConnectSettings {
  readonly keepAliveMs: number;
  readonly connections: number;
  readonly maxQueued: number;
}

/** The connections to one host with one set of TLS settings and limits, shared by all instances that want the same. */
export class ProviderConnections {
  readonly origin: string;
  readonly slots: CallSlots;
  readonly avoidance: Avoidance;
  readonly #clock: Clock;
  readonly #create: () => Pool;
  #pool: Pool;
  #born: number;
  /** Pools that were replaced and still carry a call. */
  readonly #retired = new Set<Pool>();
  #lastUsed: number;

  constructor(origin: string, settings: PoolSettings, clock: Clock) {
    this.origin = origin;
    this.slots = new CallSlots(settings.connections, settings.maxQueued);
    this.avoidance = new Avoidance(clock);
    this.#clock = clock;
    const connect = createConnector(settings);
    this.#create = () =>
      new Pool(origin, {
        connect,
        connections: settings.connections,
        pipelining: 1,
        keepAliveTimeout: settings.keepAliveMs,
        keepAliveMaxTimeout: settings.keepAliveMs,
        maxHeaderSize: MAX_HEAD_BYTES,
        factory: (url, options) => new ReusedClient(url, options),
      });
    this.#pool = this.#create();
    this.#born = this.#lastUsed = clock.now();
  }

  /** The pool to use now. Ask for every call: it changes. */
  get pool(): Pool {
    this.#lastUsed = this.#clock.now();
    if (this.#lastUsed - this.#born > CONNECTION_MAX_AGE_MS) this.renew(this.#pool);
    return this.#pool;
  }

  /** Milliseconds since the last call; 0 while one is under way. */
  get idleMs(): number {
    return this.slots.taken > 0 ? 0 : this.#clock.now() - this.#lastUsed;
  }

  get stats(): { readonly connected: number; readonly free: number } {
    const { connected, free } = this.#pool.stats;
    return { connected, free };
  }

  /** Only new connections from now on, unless somebody has seen to it since `seen` was handed out. */
  renew(seen: Pool): void {
    if (seen !== this.#pool) return;
    this.#retire(this.#pool);
    this.#pool = this.#create();
    this.#born = this.#clock.now();
  }

  /** Ends everything at once; calls under way fail. */
  async destroy(): Promise<void> {
    await Promise.all([this.#pool, ...this.#retired].map((pool) => pool.destroy()));
  }

  #retire(pool: Pool): void {
    this.#retired.add(pool);
    // Waits for the calls under way; they are bounded by their deadline.
    void pool.close().then(
      () => this.#retired.delete(pool),
      () => this.#retired.delete(pool),
    );
  }
}
