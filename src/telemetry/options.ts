// What the executable's options tell this room; without its libraries, so that --help and --dump load none of them.

/** Which decisions are worth a line on standard output, where it costs Kong's worker time even when Kong drops it. */
export const DECISION_LINES = ['all', 'changes', 'refusals'] as const;
export type DecisionLines = (typeof DECISION_LINES)[number];

/** `host:port`, `[::1]:9145` or `:9145` (all interfaces are never implied: that is 127.0.0.1). */
export function parseAdminAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw new RangeError(`--admin ${JSON.stringify(text)}: expected HOST:PORT, e.g. 127.0.0.1:9145`);
  }
  return { host: match[1] ?? (match[2] || '127.0.0.1'), port };
}
