import type { PluginConfig } from '../config/plugin-config.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from './header-list.js';
import type { Body, OmissionReason, ShownBody } from './http-message.js';
import { decodeUtf8 } from './text.js';

/** Which bodies of one direction the policy is shown. */
export interface BodyRules {
  readonly direction: 'request' | 'response';
  readonly send: boolean;
  readonly maxBytes: number;
  readonly overLimit: 'reject' | 'omit';
  /** Patterns like `text/*`, `*+json`, `application/xml`; empty: every type. */
  readonly contentTypes: readonly string[];
  readonly opaque: 'omit' | 'reject';
}

export type RequestBodySettings = Pick<
  PluginConfig,
  | 'send_request_body'
  | 'max_request_body_bytes'
  | 'request_body_over_limit'
  | 'body_content_types'
  | 'opaque_bodies'
>;

export type ResponseBodySettings = Pick<
  PluginConfig,
  | 'send_response_body'
  | 'max_response_body_bytes'
  | 'response_body_over_limit'
  | 'body_content_types'
  | 'opaque_bodies'
>;

export function requestBodyRules(settings: RequestBodySettings): BodyRules {
  return {
    direction: 'request',
    send: settings.send_request_body,
    maxBytes: settings.max_request_body_bytes,
    overLimit: settings.request_body_over_limit,
    contentTypes: settings.body_content_types,
    opaque: settings.opaque_bodies,
  };
}

export function responseBodyRules(settings: ResponseBodySettings): BodyRules {
  return {
    direction: 'response',
    send: settings.send_response_body,
    maxBytes: settings.max_response_body_bytes,
    overLimit: settings.response_body_over_limit,
    contentTypes: settings.body_content_types,
    opaque: settings.opaque_bodies,
  };
}

const ABSENT: ShownBody = { kind: 'absent' };

/**
 * What of a body the policy is shown. A body that is switched off is never measured nor looked into.
 * @param unread why the gateway did not read the body although there is one; `body` is empty then
 * @throws PingAuthError `request_body_too_large`, `request_body_opaque` and the same for responses, where the rules say reject.
 */
export function showBody(
  body: Body,
  headers: HeaderList,
  rules: BodyRules,
  unread?: OmissionReason,
): ShownBody {
  if (unread !== undefined) return { kind: 'omitted', reason: unread };
  if (body.length === 0) return ABSENT;
  if (!rules.send) return { kind: 'omitted', reason: 'disabled' };
  if (body.length > rules.maxBytes) {
    if (rules.overLimit === 'omit') return { kind: 'omitted', reason: 'too_large' };
    const detail = `${body.length} bytes, the limit is max_${rules.direction}_body_bytes = ${rules.maxBytes}`;
    throw new PingAuthError(`${rules.direction}_body_too_large`, { detail });
  }
  if (isEncoded(headers)) return opaque('content_encoding', rules);
  if (!isShownType(headers, rules.contentTypes)) return opaque('content_type', rules);
  const text = decodeUtf8(body);
  return text === undefined ? opaque('not_utf8', rules) : { kind: 'text', text };
}

function opaque(reason: OmissionReason, rules: BodyRules): ShownBody {
  if (rules.opaque === 'omit') return { kind: 'omitted', reason };
  throw new PingAuthError(`${rules.direction}_body_opaque`, {
    detail: `${reason}, and opaque_bodies is reject`,
  });
}

function isEncoded(headers: HeaderList): boolean {
  if (!headers.has('content-encoding')) return false;
  return headers
    .getAll('content-encoding')
    .flatMap((value) => value.split(','))
    .some((coding) => !['', 'identity'].includes(coding.trim().toLowerCase()));
}

/** With several Content-Type headers all must match: nobody knows which one the upstream reads. */
function isShownType(headers: HeaderList, patterns: readonly string[]): boolean {
  if (patterns.length === 0) return true;
  const types = headers.getAll('content-type').map(mediaType);
  return (
    types.length > 0 &&
    types.every((type) => patterns.some((pattern) => matches(type, pattern.trim().toLowerCase())))
  );
}

function mediaType(contentType: string): string {
  return (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();
}

function matches(type: string, pattern: string): boolean {
  if (pattern === '*/*' || pattern === '*') return true;
  if (pattern.endsWith('/*')) return type.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*+')) return type.endsWith(pattern.slice(1));
  return type === pattern;
}
