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
 * shown, unless it sets one (issue: "omitted is not removed").
 */
export type ShownBody =
  | { readonly kind: 'absent' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'omitted'; readonly reason: OmissionReason };

export type OmissionReason = 'disabled' | 'too_large' | 'content_type' | 'content_encoding' | 'not_utf8';
