import { EventOverError } from './errors.js';
import type { ServerLogger } from './logger.js';
import { PluginServer, type PluginServerOptions } from './plugin-server.js';

export interface RunOptions extends PluginServerOptions {
  /** How long events in flight may take after a signal to end, milliseconds. */
  readonly graceMs: number;
}

/**
 * Runs a server in this process until SIGTERM or SIGINT.
 *
 * @returns the exit code: 0 after an orderly end.
 * @throws ListenError when the socket cannot be opened.
 */
export async function runServer(options: RunOptions): Promise<number> {
  const { logger } = options;
  catchStrays(logger);
  const signal = nextSignal();
  const server = await PluginServer.start(options);
  logger.info({ event: 'started', socket: options.socketPath }, 'plugin server is ready');
  const reason = await signal;
  const cutOff = await server.stop(options.graceMs);
  logger.info({ event: 'stopped', signal: reason, cutOff }, 'plugin server has stopped');
  return 0;
}

/** The first signal to end; later ones change nothing, the end is bounded anyway. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
}

/**
 * A promise that a plugin left to itself must not take the other requests down: its own request ends only by its phase.
 * An exception outside of any promise leaves the process in an unknown state: it ends, and Kong starts it anew.
 */
export function catchStrays(logger: ServerLogger): void {
  process.on('unhandledRejection', (err) => {
    // A call that nobody waited for, such as a log line, when the request was over.
    if (err instanceof EventOverError) return;
    logger.error({ event: 'unhandled_rejection', err }, 'a promise of the plugin failed and nobody noticed');
  });
  process.on('uncaughtException', (err) => {
    logger.error({ event: 'uncaught_exception', err }, 'unexpected exception: the process ends');
    process.exit(1);
  });
}
