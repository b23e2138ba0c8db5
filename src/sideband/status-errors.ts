import type { IncomingHttpHeaders } from 'node:http';
import type { ErrorCode } from '../errors/catalogue.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { asBuffer, type JsonObject } from '../http/text.js';
import { jsonObjectOrUndefined, logText } from './wire-answers.js';

/** What an answer with a status other than 200 means. `wall`: milliseconds since 1970, for Retry-After. */
export function statusError(
  status: number,
  headers: IncomingHttpHeaders,
  body: Uint8Array | undefined,
  wall: number,
): PingAuthError {
  const json = jsonObjectOrUndefined(body);
  const code = codeOf(status);
  const providerErrorId = logText(json?.id);
  return new PingAuthError(code, {
    detail: detailOf(status, headers, json),
    ...(providerErrorId !== undefined && { call: { providerErrorId } }),
    ...(code === 'provider_rate_limited' && {
      retryAfterSeconds: retryAfterSeconds(headers['retry-after'], wall),
    }),
    // The text as received: JSON.stringify would overflow the stack on JSON that is nested deep enough.
    ...(code === 'provider_payload_too_large' &&
      json !== undefined &&
      body !== undefined && { clientJson: asBuffer(body).toString('utf8') }),
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

function detailOf(status: number, headers: IncomingHttpHeaders, json: JsonObject | undefined) {
  const parts = [`status ${status}`];
  for (const member of ['code', 'id', 'message'] as const) {
    const text = logText(json?.[member]);
    if (text !== undefined) parts.push(`${member} "${text}"`);
  }
  if (json === undefined && headers['content-type'] !== undefined) {
    parts.push(`content-type "${logText(headers['content-type'])}"`);
  }
  // Where to is worth knowing; it is not followed, because the secret would travel there.
  if (status >= 300 && status < 400 && headers.location !== undefined) {
    parts.push(`redirect to "${logText(headers.location.replace(/[?#].*$/s, ''))}" not followed`);
  }
  return parts.join(', ');
}

/** Without a usable Retry-After: long enough to matter, short enough not to be an outage. */
const DEFAULT_RETRY_SECONDS = 1;
/** A provider that says "in a year" must not switch an API off for a year. */
const MAX_RETRY_SECONDS = 300;

/** IMF-fixdate, the RFC 850 form and asctime; `Date.parse` alone would take `12` for the year 2001. */
const HTTP_DATE = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [\w :-]+$/;

/**
 * Seconds to wait after a 429, from 1 to MAX_RETRY_SECONDS. Understands both forms of `Retry-After`; anything else
 * (missing, garbage, negative, repeated) is the default.
 *
 * @param wall milliseconds since 1970
 */
export function retryAfterSeconds(value: string | readonly string[] | undefined, wall: number): number {
  if (typeof value !== 'string') return DEFAULT_RETRY_SECONDS;
  const text = value.trim();
  if (/^\d{1,12}$/.test(text)) return clamp(Number(text));
  if (!HTTP_DATE.test(text)) return DEFAULT_RETRY_SECONDS;
  // asctime carries no zone but means GMT.
  const date = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(date) ? DEFAULT_RETRY_SECONDS : clamp(Math.ceil((date - wall) / 1000));
}

function clamp(seconds: number): number {
  return Math.min(Math.max(seconds, 1), MAX_RETRY_SECONDS);
}
