import { Client, type Dispatcher, Pool } from 'undici';
import type { CallDeadline, Clock, Interruption } from './call-deadline.js';
import { CircuitBreaker } from './circuit-breaker.js';
import { type ConnectSettings, createConnector } from './tls-connector.js';

/** A connection is closed after this time, at the latest, when its call is over: a changed DNS entry is followed. */
export const CONNECTION_MAX_AGE_MS = 60_000;
/** Idle connections do not outlast this, whatever connection_keepAlive_ms is. */
const MAX_IDLE_MS = 600_000;

/** Enough for proxies that add a lot; an endless head ends here. */
const MAX_HEAD_BYTES = 65_536;

export interface PoolSettings extends ConnectSettings {
  readonly keepAliveMs: number;
  readonly connections: number;
  readonly maxQueued: number;
}

/** What an exchange adds to undici's options, in order to learn which connection carries it. */
export interface ExchangeOptions extends Dispatcher.DispatchOptions {
  readonly exchange: { carriedBy(connection: Connection): void };
}

/** undici's client of one connection. It counts the answers of its present connection, and has it closed when it is old. */
export class Connection extends Client {
  answers = 0;
  #renewAt = 0;
  readonly #clock: Clock;

  constructor(origin: string | URL, options: Client.Options, clock: Clock) {
    super(origin, options);
    this.#clock = clock;
    this.on('connect', () => {
      this.answers = 0;
      // Spread, since a burst opens all connections at once. (undici's own `clientTtl` closes them together, and leaves a
      // call waiting that comes when all of them are too old: undici 7.30, `connections` limited.)
      this.#renewAt = clock.now() + CONNECTION_MAX_AGE_MS * (0.5 + Math.random() / 2);
    });
  }

  override dispatch(
    options: Partial<ExchangeOptions> & Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    options.exchange?.carriedBy(this);
    // "Connection: close": nothing is lost, and the next call gets a new connection.
    if (this.answers > 0 && this.#clock.now() > this.#renewAt) options.reset = true;
    return super.dispatch(options, handler);
  }
}

/**
 * The connections to one host with one set of TLS settings and limits, shared by all instances that want the same. undici's
 * own queue has neither a limit nor a way out of it, so a call gets to undici only when there is a connection for it.
 */
export class ConnectionPool {
  /** Outlier ejection: the host gave no answer, so others are called first for a while. */
  readonly ejection: CircuitBreaker;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #maxQueued: number;
  /** In order of arrival. */
  readonly #queue = new Set<() => void>();
  readonly #create: () => Pool;
  readonly #connect: () => Connection;
  #pool: Pool;
  #underWay = 0;
  #lastUsed: number;

  constructor(origin: string, settings: PoolSettings, clock: Clock, connectorFor = createConnector) {
    this.ejection = new CircuitBreaker(clock);
    this.#clock = clock;
    this.#limit = settings.connections;
    this.#maxQueued = settings.maxQueued;
    const keepAliveTimeout = Math.min(settings.keepAliveMs, MAX_IDLE_MS);
    const options = {
      connect: connectorFor(settings),
      pipelining: 1,
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout,
      maxHeaderSize: MAX_HEAD_BYTES,
    };
    this.#connect = () => new Connection(origin, options, clock);
    this.#create = () =>
      new Pool(origin, {
        ...options,
        connections: settings.connections,
        factory: (url, given) => new Connection(url, given, clock),
      });
    this.#pool = this.#create();
    this.#lastUsed = clock.now();
  }

  get underWay(): number {
    return this.#underWay;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get connections(): { readonly open: number; readonly free: number } {
    const { connected, free } = this.#pool.stats;
    return { open: connected, free };
  }

  /** Milliseconds since the last call; 0 while one is under way. */
  get idleMs(): number {
    return this.#underWay > 0 ? 0 : this.#clock.now() - this.#lastUsed;
  }

  /** A place for one call. `acquired`: call `release` when it is over; for anything else there is no place. */
  acquire(deadline: CallDeadline): 'acquired' | 'full' | Promise<'acquired' | Interruption> {
    this.#lastUsed = deadline.startedAt;
    if (this.#underWay < this.#limit) {
      this.#underWay++;
      return 'acquired';
    }
    if (this.#queue.size >= this.#maxQueued) return 'full';
    const since = this.#clock.now();
    return new Promise((resolve) => {
      const proceed = () => {
        deadline.listen(undefined);
        deadline.queuedSince(since);
        resolve('acquired');
      };
      this.#queue.add(proceed);
      deadline.listen((reason) => {
        this.#queue.delete(proceed);
        resolve(reason);
      });
    });
  }

  release(): void {
    for (const next of this.#queue) {
      // The place goes to the next in the queue without becoming free in between.
      this.#queue.delete(next);
      next();
      return;
    }
    this.#underWay--;
  }

  dispatch(options: ExchangeOptions, handler: Dispatcher.DispatchHandler): void {
    this.#pool.dispatch(options, handler);
  }

  /** The same over a connection that is new for certain, and closed afterwards. */
  dispatchOnNewConnection(options: ExchangeOptions, handler: Dispatcher.DispatchHandler): void {
    const connection = this.#connect();
    connection.dispatch({ ...options, reset: true }, handler);
    void connection.close();
  }

  /** Closes the connections when their calls are over. A later call opens new ones. */
  close(): void {
    void this.#pool.close();
    this.#pool = this.#create();
  }

  /** Ends everything at once; calls under way fail. */
  async destroy(): Promise<void> {
    await this.#pool.destroy();
  }
}
