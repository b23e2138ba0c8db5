import type { RequestChanges, ResponseChanges } from './decision.js';

const FIELDS = ['method', 'path', 'query', 'host', 'status'] as const;

/**
 * What changed, for the log line of a decision: `['method', 'path', 'header:x-a', '-header:x-b', 'body']`. Names only;
 * values may be credentials.
 */
export function describeChanges(changes: RequestChanges | ResponseChanges): string[] {
  return [
    ...changedFields(changes),
    ...Array.from(changes.headers.set.keys(), (name) => `header:${name}`),
    ...changes.headers.remove.map((name) => `-header:${name}`),
    ...(changes.body === undefined ? [] : ['body']),
  ];
}

/** Whether the message goes on exactly as it came. */
export function isUnchanged(changes: RequestChanges | ResponseChanges): boolean {
  const { headers, body } = changes;
  return (
    body === undefined &&
    headers.set.size === 0 &&
    headers.remove.length === 0 &&
    changedFields(changes).length === 0
  );
}

function changedFields(changes: Partial<RequestChanges & ResponseChanges>): string[] {
  return FIELDS.filter((field) => changes[field] !== undefined);
}
