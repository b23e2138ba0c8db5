import { type HeaderChanges, isEmpty, isRemoval, NO_HEADER_CHANGES } from '../http/header-list.js';
import { isAlwaysRemoved } from '../http/header-rules.js';
import type { ResponseToSend } from '../http/message.js';

/** What the policy changed in the request. A member that is undefined stays as it is. */
export interface RequestChanges {
  readonly method: string | undefined;
  /** Escaped path. */
  readonly path: string | undefined;
  /** Raw query without `?`; `''` removes it. */
  readonly query: string | undefined;
  /** New `Host` for the upstream. */
  readonly host: string | undefined;
  readonly headers: HeaderChanges;
  readonly body: Uint8Array | undefined;
}

/** What the policy changed in the response. */
export interface ResponseChanges {
  readonly status: number | undefined;
  readonly headers: HeaderChanges;
  /** New body; an empty array erases it. undefined keeps the upstream's bytes. */
  readonly body: Uint8Array | undefined;
}

export type RequestDecision =
  | { readonly kind: 'deny'; readonly response: ResponseToSend; readonly notes: readonly IgnoredDirective[] }
  | {
      readonly kind: 'permit';
      readonly changes: RequestChanges;
      /** JSON text, as it came. */
      readonly state: string | undefined;
      readonly notes: readonly IgnoredDirective[];
    };

export interface ResponseDecision {
  readonly changes: ResponseChanges;
  readonly notes: readonly IgnoredDirective[];
}

/** Something the policy asked for that was ignored; for the log. Names only, never values. */
export interface IgnoredDirective {
  readonly what: 'unchangeable_field' | 'dropped_header' | 'approval_url';
  /** Of a header or field; of an approval URL, what is wrong with it. */
  readonly name: string;
}

export const NO_NOTES: readonly IgnoredDirective[] = [];

/** For monitor mode, which changes nothing. */
export const NO_REQUEST_CHANGES: RequestChanges = {
  method: undefined,
  path: undefined,
  query: undefined,
  host: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

export const NO_RESPONSE_CHANGES: ResponseChanges = {
  status: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

const FIELDS = ['method', 'path', 'query', 'host', 'status'] as const;

/**
 * What changed, for the log line of a decision: `['method', 'path', 'header:x-a', '-header:x-b', 'body']`. Names only;
 * values may be credentials. Accept-Encoding, which goes from every request, is no change of the policy's.
 */
export function describeChanges(changes: RequestChanges | ResponseChanges): string[] {
  const { headers, body } = changes;
  const described = changedFields(changes);
  const names = Object.keys(headers);
  for (const name of names) if (!isRemoval(headers[name])) described.push(`header:${name}`);
  for (const name of names)
    if (isRemoval(headers[name]) && !isAlwaysRemoved(name)) described.push(`-header:${name}`);
  if (body !== undefined) described.push('body');
  return described;
}

/** For people: `dropped header: via`. */
export function noteInWords({ what, name }: IgnoredDirective): string {
  return `${what.replaceAll('_', ' ')}: ${name}`;
}

/** Whether the message goes on exactly as it came. */
export function isUnchanged(changes: RequestChanges | ResponseChanges): boolean {
  const { headers, body } = changes;
  return body === undefined && isEmpty(headers) && changedFields(changes).length === 0;
}

function changedFields(changes: Partial<RequestChanges & ResponseChanges>): string[] {
  return FIELDS.filter((field) => changes[field] !== undefined);
}
