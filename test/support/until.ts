import { setTimeout as pause } from 'node:timers/promises';

/**
 * Waits for a condition by asking again and again.
 * @throws Error with `what` when it does not come true in time (default 30 s).
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await pause(10);
  }
}
