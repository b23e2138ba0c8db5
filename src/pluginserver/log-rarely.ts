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
