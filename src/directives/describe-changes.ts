import type { RequestChanges, ResponseChanges } from './decision.js';

/**
 * What changed, for the log line of a decision: `['method', 'path', 'header:x-a', '-header:x-b', 'body']`. Names only;
 * values may be credentials.
 */
export function describeChanges(changes: RequestChanges | ResponseChanges): string[] {
  const fields = ['method', 'path', 'query', 'host', 'status'] as const;
  const all: Partial<RequestChanges & ResponseChanges> = changes;
  return [
    ...fields.filter((field) => all[field] !== undefined),
    ...Array.from(changes.headers.set.keys(), (name) => `header:${name}`),
    ...changes.headers.remove.map((name) => `-header:${name}`),
    ...(changes.body === undefined ? [] : ['body']),
  ];
}

/** Whether the message goes on exactly as it came. */
export function isUnchanged(changes: RequestChanges | ResponseChanges): boolean {
  return describeChanges(changes).length === 0;
}
