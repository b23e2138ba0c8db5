import { isUtf8 } from 'node:buffer';
import { gunzipSync } from 'node:zlib';
import type { PluginConfig } from '../../src/config/schema.js';
import type { ShownRequest } from '../../src/directives/request-decision.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { type BodyRules, type BodySettings, bodyRules } from '../../src/http/body.js';
import { type HeaderField, HeaderList } from '../../src/http/headers.js';
import { mediaType, NO_TYPE } from '../../src/http/media-type.js';
import type { BodyView, HttpRequest, HttpResponse, RequestUrl } from '../../src/http/message.js';
import { composeUrl } from '../../src/http/request-url.js';
import { toWireText } from '../../src/http/text.js';
import { certificateToJwk } from '../../src/sideband/client-certificate.js';
import type {
  AnsweredResponse,
  Json,
  RequestAnswer,
  RequestPayload,
  ResponsePayload,
} from '../../src/sideband/messages.js';
import {
  bodyMember,
  composeRequestPayload,
  composeResponsePayload,
  describeTarget,
  payloadText,
} from '../../src/sideband/payloads.js';
import {
  type AccessOutcome,
  type RequestContext,
  retainedPayload,
} from '../../src/sideband/request-context.js';

export type Permit = Extract<RequestAnswer, { kind: 'permit' }>;

/** The defaults of the settings that decide what is shown and admitted. */
export const SHOW_ALL = {
  send_request_body: true,
  send_response_body: true,
  max_request_body_bytes: 8 * 1024 * 1024,
  max_response_body_bytes: 8 * 1024 * 1024,
  request_body_over_limit: 'reject',
  response_body_over_limit: 'reject',
  body_content_types: [],
  opaque_bodies: 'omit',
  encoded_request_bodies: 'decode',
  mcp: false,
  excluded_request_headers: [],
  allow_http2: false,
  allow_upgrade: false,
} as const satisfies Partial<PluginConfig>;

export const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'utf8'));
export const text = (body: Uint8Array | undefined): string | undefined =>
  body === undefined ? undefined : Buffer.from(body).toString('utf8');

export const A_URL: RequestUrl = {
  scheme: 'https',
  host: 'api.example',
  port: 8443,
  path: '/v1/users',
  query: 'id=7',
};

type RequestParts = Partial<Omit<HttpRequest, 'headers' | 'url' | 'body'>> & {
  headers?: readonly HeaderField[];
  url?: Partial<RequestUrl>;
  body?: string | Uint8Array;
};

export function aRequest(parts: RequestParts = {}): HttpRequest {
  const { headers = [], url, body = '', ...rest } = parts;
  return {
    method: 'GET',
    httpVersion: '1.1',
    sourceIp: '192.0.2.7',
    sourcePort: 40_001,
    clientCertificatePem: undefined,
    ...rest,
    url: { ...A_URL, ...url },
    headers: HeaderList.from([['host', 'api.example:8443'], ...headers]),
    body: typeof body === 'string' ? bytes(body) : body,
  };
}

export function aResponse(
  status: number,
  headers: readonly HeaderField[] = [],
  body: string | Uint8Array = '',
): HttpResponse {
  return { status, headers: HeaderList.from(headers), body: typeof body === 'string' ? bytes(body) : body };
}

/** The permit that echoes a request as it was shown, with changes. */
export function permit(request: HttpRequest, changes: Partial<Omit<Permit, 'kind'>> = {}): Permit {
  return {
    kind: 'permit',
    method: request.method,
    url: composeUrl(request.url),
    headers: echo(request.headers),
    body: Buffer.from(request.body).toString('utf8'),
    state: undefined,
    sourceIp: undefined,
    sourcePort: undefined,
    clientCertificate: undefined,
    ...changes,
  };
}

export function deny(response: Partial<AnsweredResponse>): RequestAnswer {
  return { kind: 'deny', response: { responseCode: '403', headers: [], body: undefined, ...response } };
}

/** Headers as a policy gives them back unchanged. */
export function echo(headers: HeaderList): HeaderField[] {
  return Array.from(headers, ([name, value]) => [name, toWireText(value)]);
}

export type RequestShowSettings = BodySettings & Pick<PluginConfig, 'excluded_request_headers'>;

/** What the access phase shows of a request, in the order in which it does it. */
export function showRequest(
  request: HttpRequest,
  settings: RequestShowSettings,
): ShownRequest & { readonly payload: RequestPayload } {
  const excluded = new Set(settings.excluded_request_headers.map((name) => name.toLowerCase()));
  const url = composeUrl(request.url);
  const headers = request.headers.filter((name) => !excluded.has(name));
  const body = viewOf(request.body, request.headers, bodyRules('request', settings));
  const pem = request.clientCertificatePem;
  const certificate = pem === undefined ? undefined : certificateToJwk(pem);
  const text = composeRequestPayload(
    request,
    describeTarget(request, url),
    headers,
    bodyMember(body),
    certificate,
  );
  // Without excluded headers the very list, as in the plugin.
  return {
    url,
    headers: excluded.size === 0 ? request.headers : headers,
    body,
    certificate,
    payload: JSON.parse(payloadText(text)),
  };
}

/** The same for a response. */
export function showResponse(
  response: HttpResponse,
  requestContext: RequestContext,
  settings: BodySettings,
): { readonly body: BodyView; readonly payload: ResponsePayload & { readonly state?: Json } } {
  const body = viewOf(response.body, response.headers, bodyRules('response', settings));
  return {
    body,
    payload: JSON.parse(payloadText(composeResponsePayload(response, requestContext, bodyMember(body)))),
  };
}

/**
 * What of a body the policy is shown, by a simple reader that knows gzip and one Content-Type. `decodeBody` agrees with it
 * (body.test.ts); this one is synchronous.
 */
export function viewOf(body: Uint8Array, headers: HeaderList, rules: BodyRules): BodyView {
  if (body.length === 0) return { kind: 'absent' };
  if (!rules.send) return { kind: 'omitted', reason: 'disabled' };
  if (body.length > rules.maxBytes) return { kind: 'omitted', reason: 'too_large' };
  const contentType = headers.get('content-type');
  const type = contentType === undefined ? NO_TYPE : mediaType(contentType);
  const isWanted = rules.contentTypes.every((wanted) => type.essence.startsWith(wanted.replace('*', '')));
  if (!isWanted) return { kind: 'omitted', reason: 'content_type' };
  const isEncoded = headers.has('content-encoding');
  if (type.kind === 'opaque' && isEncoded) return { kind: 'omitted', reason: 'content_encoding' };
  const plain = isEncoded ? gunzipSync(body) : Buffer.from(body);
  if (type.kind === 'opaque' && !isUtf8(plain)) return { kind: 'omitted', reason: 'not_utf8' };
  const decoder = new TextDecoder(type.charsets[0] ?? 'utf-8', { ignoreBOM: true });
  const looksLikeUtf16 = type.kind === 'json' && plain.length > 1 && (plain[0] === 0 || plain[1] === 0);
  if ((decoder.encoding === 'utf-8' && !isUtf8(plain)) || looksLikeUtf16) {
    if (rules.opaque === 'allow_unreadable') return { kind: 'omitted', reason: 'unreadable' };
    throw new PingAuthError(`${rules.direction}_body_unreadable`);
  }
  const decoded = isEncoded && rules.encoded === 'decode' ? { decoded: plain } : {};
  return { kind: 'text', text: decoder.decode(plain), charset: decoder.encoding, ...decoded };
}

/** @param state undefined: the answer had none */
export function aRequestContext(
  outcome: AccessOutcome,
  payload: RequestPayload,
  state: Json | undefined,
  ids: Partial<Pick<RequestContext, 'requestId' | 'traceparent' | 'tracestate'>> = {},
): RequestContext {
  const { method, url, http_version } = payload;
  return {
    outcome,
    method,
    requestId: ids.requestId,
    traceparent: ids.traceparent,
    tracestate: ids.tracestate,
    target: JSON.stringify({ method, url, http_version }).slice(1, -1),
    kept: retainedPayload(JSON.stringify(payload), state === undefined ? undefined : JSON.stringify(state)),
  };
}
