import type { HeaderList } from './headers.js';

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
  /** Empty when there is none. */
  readonly body: Uint8Array;
  readonly sourceIp: string;
  readonly sourcePort: number;
  /** PEM of the client's TLS certificate, leaf first; undefined without one. */
  readonly clientCertificatePem: string | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: HeaderList;
  /** Empty when there is none. */
  readonly body: Uint8Array;
}

/** A response of ping-auth itself or of the policy: framing headers are never in it. */
export type ResponseToSend = HttpResponse;

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
