import { checkFileLimit } from './file-limit.js';
import type { PluginHost } from './plugin-host.js';
import { PluginServer, type PluginServerOptions } from './plugin-server.js';
import { catchStrays } from './stray-errors.js';
import { runWorker } from './workers/run-worker.js';
import { Supervisor } from './workers/supervisor.js';
import { isWorkerProcess } from './workers/worker-process.js';

export interface RunOptions extends PluginServerOptions {
  /** How long events in flight may take after a signal to end, milliseconds. */
  readonly graceMs: number;
  /** 1: everything in this process. More: this process passes Kong's connections on to so many others. */
  readonly workers: number;
  /** Called in each worker process for the parent's `Supervisor.reports()`. */
  readonly report?: (host: PluginHost) => unknown;
  /** Called when the server serves, in the process that holds the socket. */
  readonly onStart?: (server: PluginServer | Supervisor) => void;
}

/**
 * Runs a server until SIGTERM or SIGINT. With several workers this executable is started once more for each of them, with
 * the same arguments, and this function is what runs there, too.
 *
 * @returns the exit code: 0 after an orderly end.
 * @throws ListenError when the socket cannot be opened.
 */
export async function runServer(options: RunOptions): Promise<number> {
  if (isWorkerProcess()) return runWorker(options);
  const { logger, workers } = options;
  catchStrays(logger);
  checkFileLimit(options.maxConnections, logger);
  const signal = nextSignal();
  const server = workers > 1 ? await Supervisor.start(options) : await PluginServer.start(options);
  logger.info({ event: 'started', socket: options.socketPath, workers }, 'plugin server is ready');
  options.onStart?.(server);
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
