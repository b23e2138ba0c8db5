import { STATUS_CODES } from 'node:http';
import type { HeaderList } from './header-list.js';

/** Bytes of a message body; empty when there is none. */
export type Body = Uint8Array;

/**
 * What the client asked for, in the form that the policy is shown: the path is Kong's normalised one, re-escaped, which
 * is what the upstream will get (before strip_path), so that policy and upstream cannot differ over `/a/../b` or `%2e`.
 */
export interface RequestUrl {
  /** `http` or `https`. */
  readonly scheme: string;
  /** Host name without port; an IPv6 address in brackets. */
  readonly host: string;
  readonly port: number;
  /** Escaped path, starts with `/`. */
  readonly path: string;
  /** Raw query without `?`, as the upstream gets it; the policy is shown it escaped (`escapeQuery`). undefined when none or empty. */
  readonly query: string | undefined;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: RequestUrl;
  /** `1.0`, `1.1` or `2` as the client spoke it. */
  readonly httpVersion: string;
  readonly headers: HeaderList;
  readonly body: Body;
  readonly sourceIp: string;
  readonly sourcePort: number;
  /** PEM of the client's TLS certificate, leaf first; undefined without one. */
  readonly clientCertificatePem: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Body;
}

/** A response that we make ourselves or that the policy dictates: framing headers never in it. */
export interface ResponseToSend {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Body;
}

/**
 * What of a body the policy is shown. An omitted body is not an absent one: the answer cannot erase what it was not
 * shown, unless it sets one.
 */
export type BodyView =
  | { readonly kind: 'absent' }
  /**
   * `charset`: in which the bytes are written, `utf-8` when it is not said. `decoded`: the bytes without their content
   * encodings, which go to the upstream in the place of the encoded ones (`encoded_request_bodies: decode`).
   */
  | { readonly kind: 'text'; readonly text: string; readonly charset?: string; readonly decoded?: Uint8Array }
  | { readonly kind: 'omitted'; readonly reason: OmissionReason };

export type OmissionReason =
  | 'disabled'
  | 'too_large'
  | 'content_type'
  | 'content_encoding'
  | 'not_utf8'
  | 'unreadable';

/** The text that the policy is shown, `''` where there is no body; undefined when it is not shown the one there is. */
export function textShown(body: BodyView): string | undefined {
  return body.kind === 'text' ? body.text : body.kind === 'absent' ? '' : undefined;
}

/** RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5. */
const BODYLESS = new Set([204, 205, 304]);

/** nginx closes the connection without an answer for these two. */
const SILENT = new Set([444, 499]);

/** Reason phrase for `response_status`; an unregistered status gets that of its class (RFC 9110, section 15). */
export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? STATUS_CODES[Math.trunc(status / 100) * 100] ?? 'Unknown';
}

/** A status that Kong can send: below 200 the client waits for ever, from 600 on Kong fails with 500. */
export function isSendableStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599 && !SILENT.has(status);
}

/** Whether a response with this status has no body, whatever its headers say. */
export function isBodiless(status: number): boolean {
  return BODYLESS.has(status);
}

/** Whether a response with this status to a request with this method may have a body. */
export function allowsBody(status: number, method: string): boolean {
  return method !== 'HEAD' && !BODYLESS.has(status);
}
