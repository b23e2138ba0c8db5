import { EventOverError } from './errors.js';
import type { ServerLogger } from './logger.js';

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
