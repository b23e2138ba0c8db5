import type { HeaderField } from '../http/headers.js';

/** Any JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** `[{"x-a":"1"},{"x-a":"2"}]`: an array of single-pair objects; a map would lose repeated headers. */
export type WireHeaders = readonly Readonly<Record<string, string>>[];

/** JSON Web Key of a client certificate's public key, with the certificate itself in `x5c` (standard base64 of DER). */
export interface CertificateJwk {
  readonly kty: string;
  readonly x5c: readonly string[];
  readonly [member: string]: string | readonly string[];
}

/** Body of `POST {service_url}/sideband/request`. */
export interface RequestPayload {
  readonly source_ip: string;
  readonly source_port: number;
  readonly method: string;
  /** Absolute, the port always written. */
  readonly url: string;
  readonly http_version: '1.0' | '1.1';
  readonly headers: WireHeaders;
  readonly body?: string;
  readonly client_certificate?: CertificateJwk;
}

/** Body of `POST {service_url}/sideband/response`: with `state` if the first answer had one, otherwise with `request`. */
export interface ResponsePayload {
  readonly method: string;
  readonly url: string;
  readonly http_version: '1.0' | '1.1';
  readonly response_code: string;
  readonly response_status: string;
  readonly headers: WireHeaders;
  readonly body?: string;
  readonly state?: Json;
  readonly request?: RequestPayload;
}

/** `response` of a deny, and the whole answer of the response call. Shape checked (sideband/), values not yet (directives/). */
export interface AnsweredResponse {
  readonly responseCode: string | number;
  readonly headers: readonly HeaderField[];
  /** undefined and `""` both mean: an empty body. */
  readonly body: string | undefined;
}

/** Answer to /sideband/request whose shape has been checked: a deny, or a permit that carries the wanted request. */
export type RequestAnswer =
  | { readonly kind: 'deny'; readonly response: AnsweredResponse }
  | {
      readonly kind: 'permit';
      readonly method: string;
      readonly url: string;
      readonly headers: readonly HeaderField[];
      /** undefined when the answer has no body member or it is null. */
      readonly body: string | undefined;
      /** JSON text of `state`, to the letter as it came: opaque, handed back untouched. undefined when there is none. */
      readonly state: string | undefined;
      /** Present for the warning when the policy tries to change what cannot be changed. */
      readonly sourceIp: string | undefined;
      readonly sourcePort: string | number | undefined;
      readonly clientCertificate: Json | undefined;
    };

export type ResponseAnswer = AnsweredResponse;
