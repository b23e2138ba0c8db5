import type { HttpResponse, ShownBody } from './http-message.js';
import type { Memo } from './memo.js';
import { wireBody } from './request-payload.js';
import { type ResponseBodySettings, responseBodyRules, showBody } from './shown-body.js';
import type { ResponsePayload } from './sideband-message.js';
import { reasonPhrase } from './status.js';
import { toWireHeaders } from './wire-headers.js';

/** What the policy is shown of a response, and the payload that shows it. */
export interface ShownResponse {
  readonly payload: ResponsePayload;
  readonly body: ShownBody;
  /** Of the request: a response to HEAD has no body. */
  readonly method: string;
}

/** @throws PingAuthError `response_body_too_large`, `response_body_opaque` */
export function showResponse(
  response: HttpResponse,
  memo: Memo,
  settings: ResponseBodySettings,
): ShownResponse {
  const body = showBody(response.body, response.headers, responseBodyRules(settings));
  return {
    body,
    method: memo.method,
    payload: {
      method: memo.method,
      url: memo.url,
      http_version: memo.http_version,
      response_code: String(response.status),
      response_status: reasonPhrase(response.status),
      headers: toWireHeaders(response.headers),
      ...wireBody(body),
      ...(memo.state === undefined ? { request: memo.request } : { state: memo.state }),
    },
  };
}
