import { isJsonObject } from '../http/text.js';
import { CUT, cutText } from './line-length.js';

export const REDACTED = '[redacted]';
/** Characters of a message body that a debug line shows. */
export const BODY_CHARACTERS = 1000;

/** Headers whose whole value is a credential or a session. */
const SECRET_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x5c',
  'client-token',
  'dpop',
  'apikey',
  'x-api-key',
  'api-key',
  'x-auth-token',
  'x-csrf-token',
  'x-amz-security-token',
  'x-forwarded-client-cert',
  'client-cert',
  'authentication-info',
]);

/** Query, form and JSON member names whose value is a credential, compared without case, `-` and `_`. */
const SECRET_NAMES = new Set(
  `accesstoken refreshtoken idtoken idtokenhint token code codeverifier assertion clientassertion samlresponse samlart
   clientsecret secret sharedsecret password passwd pwd apikey key sessionid sid session jwt state sig signature
   authorization xamzsignature xamzsecuritytoken xamzcredential requesturi logintoken otp pin`.split(/\s+/),
);

/** Secret as texts only: an error's `code`, a row's `key`. */
const PLAIN_NUMBERS = new Set(['code', 'key', 'state']);

/** Members of a sideband message that are never shown, whatever they hold. */
const OPAQUE_MEMBERS = new Set(['state', 'x5c', 'access_token']);

const JWT = /\beyJ[\w-]{6,}\.[\w-]{6,}(\.[\w-]*){0,3}/g;
const AUTH_SCHEME = /^(basic|bearer|dpop|digest|negotiate|ntlm|hoba|mutual)\s/i;
/** With a text, a number (an OTP) or a list of texts as its value; cut off at its end counts, too. */
const JSON_MEMBER =
  /"([\w.-]{1,64})"(\s*:\s*)(?:"(?:[^"\\]|\\.)*"?|-?\d[\d.eE+-]*|\[(?:[^"\]]|"(?:[^"\\]|\\.)*(?:"|$))*\]?)/g;
const PLAIN = /^[\x20-\x7e]*$/;
// Controls, format characters (bidirectional overrides, zero width), lone surrogates, line and paragraph separators.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replaceAll(/^x-|[-_.]/g, ''));
}

/** Control characters, invisible ones and lone surrogates as `\u001b`: a log line must not move a terminal's cursor. */
export function printable(text: string): string {
  return text.replaceAll(UNPRINTABLE, (c) => `\\u${c.codePointAt(0)?.toString(16).padStart(4, '0')}`);
}

/** The same for a text of several lines, which it keeps. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Text from outside, safe to log: tokens blanked, control characters escaped, cut. */
export function redactText(text: string, characters = BODY_CHARACTERS): string {
  // Nearly all of it: nothing to blank, to escape or to cut.
  if (text.length <= characters && PLAIN.test(text) && !text.includes('eyJ')) return text;
  // Cut before the search, which takes quadratic time on a text full of beginnings of tokens; generously, so that a token
  // of which something would be shown is recognised.
  const head = text.length > 2 * characters + 1000 ? text.slice(0, 2 * characters + 1000) : text;
  const clean = printable(head.replaceAll(JWT, REDACTED));
  const missing = text.length - head.length;
  if (missing === 0) return cutText(clean, characters);
  const shown = cutText(clean, characters).replace(CUT, '');
  return `${shown}… ${missing + clean.length - shown.length} more`;
}

/** One header value. `secretHeader` is the configured `secret_header_name`. */
export function redactHeader(name: string, value: string, secretHeader = ''): string {
  const lower = name.toLowerCase();
  if (lower === secretHeader.toLowerCase() || SECRET_HEADERS.has(lower) || isSecretName(lower)) {
    const scheme = lower.endsWith('authorization') ? AUTH_SCHEME.exec(value)?.[0] : undefined;
    return scheme === undefined ? REDACTED : scheme + REDACTED;
  }
  if (value.includes('?') || value.includes('=')) return redactText(redactQueryIn(value), 500);
  return redactText(value, 500);
}

/** A URL with user info and the values of token-like query parameters blanked. It need not parse. */
export function redactUrl(url: string): string {
  return redactText(redactQueryIn(url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${REDACTED}@`)), 2000);
}

/** `a=1&code=x` anywhere in the text: in a URL, a `Location`, a form body. */
function redactQueryIn(text: string): string {
  return text.replaceAll(
    /([?&;#\s]|^)([\w.~%+-]{1,64})=([^&#\s;,]*)/g,
    (whole, before: string, name: string) =>
      isSecretName(decodeQuietly(name)) ? `${before}${name}=${REDACTED}` : whole,
  );
}

function decodeQuietly(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A message body: token-like JSON members and form fields blanked, then cut. */
export function redactBody(body: string, characters = BODY_CHARACTERS): string {
  // Cut first, generously, so that a body of megabytes is not searched through; the cut may split a token, whose
  // rest is caught because an unterminated JSON string counts as one too.
  const head = body.slice(0, characters * 2);
  const members = head.replaceAll(JSON_MEMBER, (whole, name: string, colon: string) => {
    if (!isSecretName(name)) return whole;
    const isNumber = /^[-\d]/.test(whole.slice(name.length + colon.length + 2));
    return isNumber && PLAIN_NUMBERS.has(name.toLowerCase()) ? whole : `"${name}"${colon}"${REDACTED}"`;
  });
  const clean = printable(redactQueryIn(members).replaceAll(JWT, REDACTED));
  const shown = clean.slice(0, characters);
  const missing = body.length - head.length + clean.length - shown.length;
  return missing > 0 ? `${shown}… ${missing} more` : clean;
}

/** A sideband message (either payload, either answer, an error document) as a debug line may show it. */
export function redactMessage(
  message: unknown,
  secretHeader = '',
  bodyCharacters: number = BODY_CHARACTERS,
): unknown {
  if (typeof message === 'string') return redactBody(message, bodyCharacters);
  if (!isJsonObject(message)) return shortValue(message);
  return Object.fromEntries(
    Object.entries(message).map(([name, value]) => [
      redactText(name, 100),
      redactMember(name, value, secretHeader, bodyCharacters),
    ]),
  );
}

function redactMember(name: string, value: unknown, secretHeader: string, bodyCharacters: number): unknown {
  if (OPAQUE_MEMBERS.has(name)) return REDACTED;
  if (name === 'headers') return redactWireHeaders(value, secretHeader);
  if (isJsonObject(value)) return redactMessage(value, secretHeader, bodyCharacters);
  if (typeof value !== 'string') return shortValue(value);
  if (name === 'url') return redactUrl(value);
  if (name === 'body') return redactBody(value, bodyCharacters);
  return isSecretName(name) && name !== 'code' ? REDACTED : redactText(value, 500);
}

/** `[{"x-a":"1"}]`, or whatever stands in its place: the answer may be anything. */
function redactWireHeaders(headers: unknown, secretHeader: string): unknown {
  if (!Array.isArray(headers)) return shortValue(headers);
  return headers.map((pair: unknown) => {
    // A parsed answer has [name, value] in the place of {name: value}.
    if (isField(pair)) return { [redactText(pair[0], 200)]: redactHeader(pair[0], pair[1], secretHeader) };
    if (!isJsonObject(pair)) return shortValue(pair);
    return Object.fromEntries(
      Object.entries(pair).map(([name, value]) => [
        redactText(name, 200),
        typeof value === 'string' ? redactHeader(name, value, secretHeader) : shortValue(value),
      ]),
    );
  });
}

function isField(pair: unknown): pair is [string, string] {
  return Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
}

/** Numbers, booleans and null as they are; of anything else only its kind, since its shape is not known to be harmless. */
function shortValue(value: unknown): unknown {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined)
    return value;
  if (typeof value === 'string') return redactText(value, 500);
  return Array.isArray(value) ? `[list of ${value.length}]` : '[object]';
}
