import type { Socket } from 'node:net';
import { Connection, type ConnectionHost } from './connection.js';
import type { ErrorStatus } from './error-response.js';
import { type InstanceDirectory, UnknownInstances } from './instance-registry.js';
import type { InstanceTable } from './instances.js';
import { type HostLimits, rarely, ServerCounts } from './options.js';

export interface HostOptions extends HostLimits {
  /** The plugin objects of this process. */
  readonly instances: InstanceTable;
  readonly directory: InstanceDirectory;
}

/** Lines about error responses for Kong's own log: so many a second for each status. */
const KONG_LINES_A_SECOND = 2;
/** How often the log says that events are refused because there are too many. */
const OVERLOAD_LOG_MS = 10_000;
/** As a share of --max-events: how many events may wait for a request body that a client sends slowly or never. */
const SHARE_OF_UPLOADS = 1 / 4;
const DRAIN_POLL_MS = 20;
/** How exact deadlines of events are. */
const CLOCK_MS = 100;

/** Serves Kong's connections with a set of plugins: the server without its socket and its process. */
export class PluginHost implements ConnectionHost {
  readonly options: HostOptions;
  readonly instances: InstanceTable;
  readonly directory: InstanceDirectory;
  readonly unknownInstances = new UnknownInstances();
  readonly counts = new ServerCounts();
  draining = false;
  readonly #connections = new Set<Connection>();
  /** Begun and not over; with those that wait for a request body. */
  #events = 0;
  /** Events that wait for a request body. */
  #uploads = 0;
  /** Runs while an event has a deadline: one timer for all of them. */
  #clock: NodeJS.Timeout | undefined;
  readonly #now: () => number;
  #kongLines = { second: 0, 500: 0, 503: 0 };

  readonly #logOverload = rarely(OVERLOAD_LOG_MS, (times) => {
    const fields = { event: 'overload', times, events: this.#events, connections: this.#connections.size };
    this.options.logger.warn(fields, 'too many events at once: further ones are refused with 503');
  });

  readonly #logUploads = rarely(OVERLOAD_LOG_MS, (times) => {
    const fields = { event: 'uploads', times, uploads: this.#uploads, maxEvents: this.options.maxEvents };
    this.options.logger.warn(
      fields,
      'a quarter of --max-events waits for request bodies: bodies that do not arrive at once are refused with 503',
    );
  });

  constructor(options: HostOptions) {
    this.options = options;
    this.instances = options.instances;
    this.directory = options.directory;
    this.#now = options.now ?? (() => performance.now());
  }

  /** Events whose plugin is still at work. */
  get eventsInFlight(): number {
    return this.#events;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Serves one connection of Kong's from now on. */
  accept(socket: Socket): void {
    const connection = new Connection(socket, this);
    this.#connections.add(connection);
    socket.once('close', () => this.#connections.delete(connection));
  }

  eventBegins(): boolean {
    const { maxEvents, maxConnections } = this.options;
    // Uploads have a limit of their own: a client decides how long one takes.
    if (this.#events - this.#uploads >= maxEvents || this.#connections.size > maxConnections) {
      this.#logOverload();
      return false;
    }
    this.#events++;
    this.counts.events++;
    return true;
  }

  uploadBegins(): boolean {
    this.#uploads++;
    if (this.#uploads <= Math.ceil(this.options.maxEvents * SHARE_OF_UPLOADS)) return true;
    this.#logUploads();
    return false;
  }

  uploadEnds(): void {
    this.#uploads--;
  }

  mayTellKong(status: ErrorStatus): boolean {
    const second = Math.trunc(this.#now() / 1000);
    if (this.#kongLines.second !== second) this.#kongLines = { second, 500: 0, 503: 0 };
    return this.#kongLines[status]++ < KONG_LINES_A_SECOND;
  }

  eventEnds(): void {
    this.#events--;
  }

  startClock(): number {
    this.#clock ??= setInterval(() => this.#tick(), CLOCK_MS);
    return this.#now();
  }

  /**
   * Closes idle connections after a moment and busy ones when their event is over, and waits for these.
   *
   * @returns how many events were cut off because they took longer than `graceMs`.
   */
  async drain(graceMs: number): Promise<number> {
    this.draining = true;
    const end = performance.now() + graceMs;
    for (;;) {
      // In each round: the kernel's queue may have held connections that were accepted meanwhile.
      for (const connection of this.#connections) connection.closeIfIdle();
      if (this.#connections.size === 0 || performance.now() >= end) break;
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS));
    }
    const cutOff = this.#events;
    for (const connection of this.#connections) connection.destroy();
    return cutOff;
  }

  #tick(): void {
    const now = this.#now();
    let waiting = false;
    for (const connection of this.#connections) if (connection.tick(now)) waiting = true;
    if (waiting) return;
    clearInterval(this.#clock);
    this.#clock = undefined;
  }
}
