import type { PluginModule } from './plugin-module.js';

export interface BodyLimits {
  /** For a plugin that asks for no limit of its own. */
  readonly maxBodyBytes: number;
  /** Folders in which body files have to lie; undefined: wherever nginx puts them. */
  readonly bodyDirs: readonly string[] | undefined;
  /** Where the memory for body files and large replies of Kong comes from while they are read; undefined: there is no limit. */
  readonly memory?: SharedMemory | undefined;
}

/** Memory that the process shares among all messages in progress. */
export interface SharedMemory {
  /** False when there is not so much left, bytes. */
  reserve(bytes: number): boolean;
  /** Counts bytes that are held already, however much is left: what was sent and Kong has not taken yet. */
  hold(bytes: number): void;
  giveBack(bytes: number): void;
}

export interface HostLimits extends BodyLimits {
  readonly logger: ServerLogger;
  /** A frame that announces more is not read, bytes. */
  readonly maxFrameBytes: number;
  /** Events beyond are refused with 503. Those that wait for a request body are counted apart: a quarter of this may wait long. */
  readonly maxEvents: number;
  /** Events on connections beyond are refused with 503. */
  readonly maxConnections: number;
  /** Milliseconds. */
  readonly eventTimeoutMs: number;
  /** Milliseconds of a clock that never jumps. For tests. */
  readonly now?: () => number;
}

export interface PluginServerOptions extends HostLimits {
  readonly plugins: readonly PluginModule[];
  readonly socketPath: string;
  /** Take the socket over from a server that still listens there. */
  readonly takeover: boolean;
  /** Permission bits of the socket. */
  readonly socketMode: number;
  /** An instance without events for so long is dropped, milliseconds. */
  readonly instanceIdleMs: number;
}

/** What the server needs to write its log; pino's loggers fit. Fields never hold configurations or bodies. */
export interface ServerLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For what can happen thousands of times a second: calls `log` at most once in `intervalMs`, with how often it happened. */
export function rarely(intervalMs: number, log: (times: number) => void): () => void {
  let loggedAt = Number.NEGATIVE_INFINITY;
  let times = 0;
  return () => {
    times++;
    const now = performance.now();
    if (now - loggedAt < intervalMs) return;
    loggedAt = now;
    log(times);
    times = 0;
  };
}

/** Limits that hold when the command line says nothing else. */
export const DEFAULTS = Object.freeze({
  maxFrameBytes: 64 * 1024 * 1024,
  maxBodyBytes: 16 * 1024 * 1024,
  maxEvents: 4096,
  maxConnections: 8192,
  eventTimeoutMs: 55_000,
  graceMs: 10_000,
  instanceIdleMs: 24 * 60 * 60 * 1000,
  socketMode: 0o660,
});

/** What happened in this process since it started; for whoever makes metrics of it. */
export class ServerCounts {
  /** Events (one phase of one request) that were begun. */
  events = 0;
  /** Events that this server ended with 500 because the plugin did not end them. */
  eventsFailed = 0;
  /** Events that were ended with 503 because there were too many. */
  eventsRefused = 0;
  /** Connections that were closed so that Kong sends a configuration again. */
  instancesUnknown = 0;
  /** Connections that were closed because of bytes that Kong does not send. */
  protocolErrors = 0;
}
