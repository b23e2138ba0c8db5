import { Client, type Dispatcher } from 'undici';
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

/** undici's client of one connection. It counts the answers of its present connection, and has it closed when it is old. */
export class Connection extends Client {
  answers = 0;
  #renewAt = 0;
  readonly #clock: Clock;

  constructor(origin: string, options: Client.Options, clock: Clock) {
    super(origin, options);
    this.#clock = clock;
    this.on('connect', () => {
      this.answers = 0;
      // Spread, since a burst opens all connections at once.
      this.#renewAt = clock.now() + CONNECTION_MAX_AGE_MS * (0.5 + Math.random() / 2);
    });
  }

  send(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    // "Connection: close": nothing is lost, and the next call gets a new connection.
    if (this.answers > 0 && this.#clock.now() > this.#renewAt) options.reset = true;
    this.dispatch(options, handler);
  }
}

/**
 * The connections to one host with one set of TLS settings and limits, shared by all instances that want the same. A call that
 * finds all of them in use waits here: undici's own queue has neither a limit nor a way out of it.
 */
export class ConnectionPool {
  /** Outlier ejection: the host gave no answer, so others are called first for a while. */
  readonly ejection: CircuitBreaker;
  readonly #clock: Clock;
  readonly #limit: number;
  readonly #maxQueued: number;
  readonly #connect: () => Connection;
  readonly #connections = new Set<Connection>();
  /** The last one is the one that was used last. */
  readonly #free: Connection[] = [];
  /** In order of arrival. */
  readonly #queue = new Set<(connection: Connection) => void>();
  #underWay = 0;
  #lastUsed: number;
  readonly #offer = (connection: Connection): void => {
    for (const next of this.#queue) {
      this.#queue.delete(next);
      next(connection);
      return;
    }
    this.#free.push(connection);
  };

  constructor(origin: string, settings: PoolSettings, clock: Clock, connectorFor = createConnector) {
    this.ejection = new CircuitBreaker(clock);
    this.#clock = clock;
    this.#limit = settings.connections;
    this.#maxQueued = settings.maxQueued;
    this.#lastUsed = clock.now();
    const keepAliveTimeout = Math.min(settings.keepAliveMs, MAX_IDLE_MS);
    const options: Client.Options = {
      connect: connectorFor(settings),
      pipelining: 1,
      keepAliveTimeout,
      keepAliveMaxTimeout: keepAliveTimeout,
      maxHeaderSize: MAX_HEAD_BYTES,
    };
    this.#connect = () => {
      const connection = new Connection(origin, options, clock);
      this.#connections.add(connection);
      return connection;
    };
  }

  get underWay(): number {
    return this.#underWay;
  }

  get queued(): number {
    return this.#queue.size;
  }

  get connections(): { readonly open: number; readonly free: number } {
    const isOpen = ({ stats }: Connection) => stats.connected;
    return { open: [...this.#connections].filter(isOpen).length, free: this.#free.filter(isOpen).length };
  }

  /** Milliseconds since the last call; 0 while one is under way. */
  get idleMs(): number {
    return this.#underWay > 0 ? 0 : this.#clock.now() - this.#lastUsed;
  }

  /** A connection for one call, to be given back with `release`; or why there is none. */
  acquire(deadline: CallDeadline): Connection | 'full' | Promise<Connection | Interruption> {
    this.#lastUsed = deadline.startedAt;
    const free = this.#free.pop() ?? (this.#connections.size < this.#limit ? this.#connect() : undefined);
    if (free !== undefined) {
      this.#underWay++;
      return free;
    }
    // A connection that was given back in this turn is free in the next one: a call that waits for it is not one too many.
    const offered = this.#connections.size - this.#underWay - this.#free.length;
    if (this.#queue.size >= this.#maxQueued + offered) return 'full';
    const since = this.#clock.now();
    return new Promise((resolve) => {
      const proceed = (connection: Connection) => {
        this.#underWay++;
        deadline.listen(undefined);
        deadline.queuedSince(since);
        resolve(connection);
      };
      this.#queue.add(proceed);
      deadline.listen((reason) => {
        this.#queue.delete(proceed);
        resolve(reason);
      });
    });
  }

  /**
   * The call is over. The next one gets the connection a turn of the event loop later: some servers close it after an answer without
   * having said so, and a call that is written to it by then would be repeated.
   */
  release(connection: Connection): void {
    this.#underWay--;
    setImmediate(this.#offer, connection);
  }

  /** A connection that is new for certain, in place of one that failed. */
  replace(connection: Connection): Connection {
    this.#connections.delete(connection);
    void connection.destroy();
    return this.#connect();
  }

  /** Closes the connections that no call uses. A later call opens new ones. */
  close(): void {
    for (const connection of this.#free.splice(0)) {
      this.#connections.delete(connection);
      void connection.close();
    }
  }

  /** Ends everything at once; calls under way fail. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.destroy()));
  }
}
