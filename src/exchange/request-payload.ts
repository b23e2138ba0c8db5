import type { PluginConfig } from '../config/plugin-config.js';
import { certificateToJwk } from './client-certificate.js';
import type { HeaderList } from './header-list.js';
import type { HttpRequest, OmissionReason, ShownBody } from './http-message.js';
import { composeUrl } from './request-url.js';
import { type RequestBodySettings, requestBodyRules, showBody } from './shown-body.js';
import type { RequestPayload } from './sideband-message.js';
import { toWireHeaders } from './wire-headers.js';

/** What the policy is shown of a request, and the payload that shows it. */
export interface ShownRequest {
  readonly payload: RequestPayload;
  /** The client's headers without the excluded ones, their bytes as they came. */
  readonly headers: HeaderList;
  readonly body: ShownBody;
}

export type RequestShowSettings = RequestBodySettings & Pick<PluginConfig, 'excluded_request_headers'>;

/**
 * @param unread why the gateway did not read the body although there is one; `request.body` is empty then
 * @throws PingAuthError for a body or a certificate that must not be hidden from the policy.
 */
export function showRequest(
  request: HttpRequest,
  settings: RequestShowSettings,
  unread?: OmissionReason,
): ShownRequest {
  const excluded = new Set(settings.excluded_request_headers.map((name) => name.toLowerCase()));
  const headers =
    excluded.size === 0 ? request.headers : request.headers.filter((name) => !excluded.has(name));
  const body: ShownBody =
    unread === undefined
      ? showBody(request.body, request.headers, requestBodyRules(settings))
      : { kind: 'omitted', reason: unread };
  const pem = request.clientCertificatePem;
  return {
    headers,
    body,
    payload: {
      source_ip: request.sourceIp,
      source_port: request.sourcePort,
      method: request.method,
      url: composeUrl(request.url),
      http_version: wireHttpVersion(request.httpVersion),
      headers: toWireHeaders(headers),
      ...wireBody(body),
      ...(pem === undefined ? {} : { client_certificate: certificateToJwk(pem) }),
    },
  };
}

/** No body goes as `""`, like the existing plugin's; an omitted body is left out, so that it does not look like none. */
export function wireBody(body: ShownBody): { body?: string } {
  if (body.kind === 'omitted') return {};
  return { body: body.kind === 'text' ? body.text : '' };
}

/** HTTP/2 goes as 1.1: nothing documents any other value. */
function wireHttpVersion(version: string): '1.0' | '1.1' {
  return version === '1.0' || version === '1' ? '1.0' : '1.1';
}
