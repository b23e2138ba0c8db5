import { readFileSync } from 'node:fs';
import type { ServerLogger } from './logger.js';

/** Log, standard streams, the plugin's own connections. */
const RESERVE = 256;

/**
 * Warns when the process may not open as many files as it takes connections. Without a descriptor the kernel's queue can only
 * be emptied by closing, and Kong answers a close by trying again at once, without limit.
 */
export function checkFileLimit(maxConnections: number, logger: ServerLogger): void {
  const limit = fileLimit();
  if (limit === undefined || limit >= maxConnections + RESERVE) return;
  const remedy = `raise the limit of open files to ${maxConnections + RESERVE}, or lower --max-connections`;
  logger.warn(
    { event: 'file_limit', limit, maxConnections, remedy },
    'fewer files than connections are allowed',
  );
}

/** The soft limit of open files, where the kernel tells (Linux); Node raises it to the hard limit by itself. */
function fileLimit(): number | undefined {
  try {
    const [, limit] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}
