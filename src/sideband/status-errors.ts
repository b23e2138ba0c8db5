import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { retryAfterSeconds } from './retry-after.js';
import { jsonObjectOrUndefined } from './wire-answers.js';

/** What an answer with a status other than 200 means. `wall`: milliseconds since 1970, for Retry-After. */
export function statusError(
  status: number,
  headers: IncomingHttpHeaders,
  body: Uint8Array | undefined,
  wall: number,
): PingAuthError {
  const json = jsonObjectOrUndefined(body);
  const code = codeOf(status);
  const providerErrorId = printable(json?.id);
  return new PingAuthError(code, {
    detail: detailOf(status, headers, json),
    ...(providerErrorId !== undefined && { call: { providerErrorId } }),
    ...(code === 'provider_rate_limited' && {
      retryAfterSeconds: retryAfterSeconds(headers['retry-after'], wall),
    }),
    // Its own text: written anew, JSON that is nested deep enough would overflow the stack.
    ...(code === 'provider_payload_too_large' &&
      json !== undefined &&
      body !== undefined && { clientJson: Buffer.from(body).toString('utf8') }),
  });
}

function codeOf(status: number): ErrorCode {
  switch (status) {
    case 401:
      return 'provider_secret_refused';
    case 403:
      return 'provider_forbidden';
    case 404:
      return 'provider_no_endpoint';
    case 413:
      return 'provider_payload_too_large';
    case 429:
      return 'provider_rate_limited';
    default:
      if (status >= 500) return 'provider_failing';
      return status >= 400 ? 'provider_rejected' : 'provider_unexpected_status';
  }
}

function detailOf(
  status: number,
  headers: IncomingHttpHeaders,
  json: Readonly<Record<string, unknown>> | undefined,
) {
  const parts = [`status ${status}`];
  for (const member of ['code', 'id', 'message'] as const) {
    const text = printable(json?.[member]);
    if (text !== undefined) parts.push(`${member} "${text}"`);
  }
  if (json === undefined && headers['content-type'] !== undefined) {
    parts.push(`content-type "${printable(headers['content-type'])}"`);
  }
  // Where to is worth knowing; it is not followed, because the secret would travel there.
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    parts.push(`redirect to "${printable(headers.location.replace(/[?#].*$/s, ''))}" not followed`);
  }
  return parts.join(', ');
}

/** Text from the provider for a log line: short, one line, no control characters. */
export function printable(value: unknown): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, 300).replace(/[^\x20-\x7e]/g, '?');
}
