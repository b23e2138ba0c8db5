import { InstanceRegistry } from './instance-registry.js';
import { InstanceTable } from './instances.js';
import type { PluginServerOptions, ServerLogger } from './options.js';
import { PluginHost } from './plugin-host.js';
import { EventOverError } from './plugin-module.js';
import { checkFileLimit, checkQueue, SocketListener } from './socket-listener.js';
import { Supervisor } from './workers/supervisor.js';
import { runWorker } from './workers/worker.js';
import { isWorkerProcess } from './workers/worker-process.js';

const EXPIRY_INTERVAL_MS = 60_000;

/** A plugin server in one process. */
export class PluginServer {
  readonly host: PluginHost;
  readonly #listener: SocketListener;
  readonly #expiry: NodeJS.Timeout;

  private constructor(host: PluginHost, listener: SocketListener, expire: () => void) {
    this.host = host;
    this.#listener = listener;
    this.#expiry = setInterval(expire, EXPIRY_INTERVAL_MS);
    this.#expiry.unref();
  }

  /** @throws ListenError when the socket cannot be opened. */
  static async start(options: PluginServerOptions): Promise<PluginServer> {
    const { plugins, logger } = options;
    const instances = new InstanceTable(plugins, logger);
    const directory = new InstanceRegistry({ idleMs: options.instanceIdleMs, logger }, instances);
    const host = new PluginHost({ ...options, instances, directory });
    const listener = await SocketListener.listen(options, (socket) => host.accept(socket));
    return new PluginServer(host, listener, () => {
      for (const id of instances.takeUsed()) directory.touch(id);
      directory.expire();
    });
  }

  /**
   * Stops accepting, waits for the events in flight and closes all connections. Leaves the socket alone when another
   * server has taken it over.
   *
   * @returns how many events were cut off because they took longer than `graceMs`.
   */
  async stop(graceMs: number): Promise<number> {
    clearInterval(this.#expiry);
    await this.#listener.close();
    return this.host.drain(graceMs);
  }
}

export interface RunOptions extends PluginServerOptions {
  /** How long events in flight may take after a signal to end, milliseconds. */
  readonly graceMs: number;
  /** 1: everything in this process. More: this process passes Kong's connections on to so many others. */
  readonly workers: number;
  /** Called in each worker process for the parent's `Supervisor.reports()`. */
  readonly report?: (host: PluginHost) => unknown;
  /** Called when the server serves, in the process that holds the socket. */
  readonly onStart?: (server: PluginServer | Supervisor) => void;
  /** Called once in each process that runs events, as soon as it does. */
  readonly onServing?: (host: PluginHost) => void;
}

/**
 * Runs a server until SIGTERM or SIGINT. With several workers this executable is started once more for each of them, with
 * the same arguments, and this function is what runs there, too.
 *
 * @returns the exit code: 0 after an orderly end.
 * @throws ListenError when the socket cannot be opened.
 */
export async function runServer(options: RunOptions): Promise<number> {
  const { logger, workers } = options;
  catchStrays(logger);
  if (isWorkerProcess()) return runWorker(options);
  // With workers the parent keeps a copy of each connection.
  checkFileLimit(options.maxConnections * workers, logger);
  checkQueue(logger);
  const signal = nextSignal();
  const server = workers > 1 ? await Supervisor.start(options) : await PluginServer.start(options);
  logger.info({ event: 'started', socket: options.socketPath, workers }, 'plugin server is ready');
  options.onStart?.(server);
  if (server instanceof PluginServer) options.onServing?.(server.host);
  const reason = await signal;
  const cutOff = await server.stop(options.graceMs);
  logger.info({ event: 'stopped', signal: reason, cutOff }, 'plugin server has stopped');
  return 0;
}

/** The first signal to end; later ones change nothing, the end is bounded anyway. */
function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
}

/**
 * A promise that a plugin left to itself must not take the other requests down: its own request ends only by its phase.
 * An exception outside of any promise leaves the process in an unknown state: it exits, and Kong starts it again.
 */
function catchStrays(logger: ServerLogger): void {
  process.on('unhandledRejection', (err) => {
    // A call whose result the plugin did not wait for, such as a log line, when the request was over.
    if (err instanceof EventOverError) return;
    logger.error({ event: 'unhandled_rejection', err }, 'unhandled rejection of a promise of the plugin');
  });
  process.on('uncaughtException', (err) => {
    logger.error({ event: 'uncaught_exception', err }, 'unexpected exception: the process exits');
    process.exit(1);
  });
}
