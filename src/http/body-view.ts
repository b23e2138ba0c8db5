import type { PluginConfig } from '../config/schema.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from './header-list.js';
import type { Body, BodyView, OmissionReason } from './message.js';
import { type ReadableBody, type ReadingRules, readableBody, unreadableStatus } from './readable-body.js';

/** Which bodies of one direction the policy is shown. */
export interface BodyRules extends ReadingRules {
  readonly direction: 'request' | 'response';
  readonly overLimit: 'reject' | 'omit';
  readonly opaque: PluginConfig['opaque_bodies'];
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

/**
 * What of a body the policy is shown: what a correct reader of the bytes makes of it, codings undone and charset decoded. A
 * body that is switched off is never measured nor looked into. A promise only for a compressed one of some size.
 *
 * @param unread why the gateway did not read the body although there is one; `body` is empty then
 * @throws PingAuthError `request_body_too_large`, `request_body_opaque` where the rules say reject; `request_body_unreadable`
 *   for text that cannot be shown, which a client could otherwise use to hide it; the same for responses. With a promise, it
 *   rejects.
 */
export function showBody(
  body: Body,
  headers: HeaderList,
  rules: BodyRules,
  unread?: OmissionReason,
): BodyView | Promise<BodyView> {
  if (unread !== undefined) return { kind: 'omitted', reason: unread };
  const readable = readableBody(body, headers, rules);
  return readable instanceof Promise ? readable.then((read) => shown(read, rules)) : shown(readable, rules);
}

function shown(body: ReadableBody, rules: BodyRules): BodyView {
  switch (body.kind) {
    case 'absent':
    case 'text':
      return body;
    case 'too_large': {
      if (rules.overLimit === 'omit') return { kind: 'omitted', reason: 'too_large' };
      const detail = `${body.detail}, the limit is max_${rules.direction}_body_bytes = ${rules.maxBytes}`;
      throw new PingAuthError(`${rules.direction}_body_too_large`, { detail });
    }
    case 'omitted':
      if (body.reason === 'disabled' || rules.opaque !== 'reject') return body;
      throw new PingAuthError(`${rules.direction}_body_opaque`, {
        detail: `${body.reason}, and opaque_bodies is reject`,
      });
    case 'unreadable': {
      if (rules.opaque === 'allow_unreadable') return { kind: 'omitted', reason: 'unreadable' };
      const detail = `${body.reason}: ${body.detail}`;
      if (rules.direction === 'response') throw new PingAuthError('response_body_unreadable', { detail });
      throw new PingAuthError('request_body_unreadable', { detail, status: unreadableStatus(body.reason) });
    }
  }
}
