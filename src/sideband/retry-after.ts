/** Without a usable Retry-After: long enough to matter, short enough not to be an outage. */
export const DEFAULT_RETRY_SECONDS = 1;
/** A provider that says "in a year" must not switch an API off for a year. */
export const MAX_RETRY_SECONDS = 300;

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
