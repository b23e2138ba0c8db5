import { isJsonObject } from '../http/text.js';
import { REDACTED, withoutCutMark, withoutMarks } from './gap-marks.js';
import { cutText } from './line-length.js';
import { printable } from './printable.js';
import { exceptionsOf, isSecretName } from './secret-names.js';
import { blankBody, blankText, blankUrl, schemeOf } from './secret-text.js';

/** How many characters a log or a recording has of a part of a message. */
export interface ShownCharacters {
  readonly body: number;
  /** A header's value, or any other text. */
  readonly text: number;
  readonly url: number;
}

/** Of a message in the log of `enable_debug_logging`. */
export const LOGGED: ShownCharacters = { body: 1000, text: 500, url: 2000 };

/** Headers whose whole value is a credential although their name does not say so. */
const SECRET_HEADERS = new Set([
  'x-forwarded-client-cert',
  'client-cert',
  'client-cert-chain',
  'authentication-info',
]);

/** Members of a sideband message that are never shown, whatever they hold. */
const OPAQUE_MEMBERS = new Set(['state', 'x5c', 'access_token']);

/** Nothing to blank, to escape or to cut: nearly all of it. */
const HARMLESS = /^[\w .,:;/()+*!?&%[\]|~$-]*$/;
/** `password: x`, `%26token%3Dx`: a name, and what it stands for. */
const NAMED = /[\w\]]:[ \t]|%/;
const TOKEN_LIKE = /eyJ|bearer|basic|dpop|negotiate|\[redacted|… | more$/i;

/** Items of a list and members of an object that are shown, and how deep. */
const MAX_ITEMS = 2000;
const MAX_DEPTH = 20;

/** Text from outside, safe to log in one line: credentials blanked, control characters escaped, cut. */
export function redactText(text: string, characters = LOGGED.body): string {
  if (isHarmless(text, characters)) return text;
  // Cut before the search, generously, so that a token of which something would be shown is recognised.
  const head = text.length > 2 * characters + 1000 ? text.slice(0, 2 * characters + 1000) : text;
  return ended(printable(blankText(head)), text.length - head.length, characters);
}

/**
 * One header value as a recorded message has it: nothing but secrets and what is cut is missing, and both are marked
 * (gap-marks.ts). `secretHeader` is the configured `secret_header_name`.
 */
export function redactHeader(
  name: string,
  value: string,
  secretHeader = '',
  characters: number = LOGGED.text,
): string {
  const lower = name.toLowerCase();
  if (lower === secretHeader.toLowerCase() || SECRET_HEADERS.has(lower) || isSecretName(lower))
    return value === '' ? '' : schemeOf(lower, value) + REDACTED;
  return recorded(value, characters, blankText);
}

/** A URL with user info and the values of token-like parameters blanked. It need not parse. */
export function redactUrl(url: string, characters: number = LOGGED.url): string {
  return recorded(url, characters, blankUrl);
}

/** A message body: secrets in JSON, forms, XML, multipart and plain text blanked, then cut. */
export function redactBody(body: string, characters: number = LOGGED.body): string {
  return recorded(body, characters, blankBody);
}

/** A sideband message (either payload, either answer, an error document) as a log or a recording may have it. */
export function redactMessage(message: unknown, secretHeader = '', shown: ShownCharacters = LOGGED): unknown {
  if (typeof message === 'string') return redactBody(message, shown.body);
  return redactValue(message, { secretHeader, shown, depth: 0 });
}

interface Context {
  readonly secretHeader: string;
  readonly shown: ShownCharacters;
  readonly depth: number;
}

function redactValue(value: unknown, context: Context): unknown {
  if (typeof value === 'string') return recorded(value, context.shown.text, blankText);
  if (typeof value !== 'object' || value === null) return value;
  const inner = { ...context, depth: context.depth + 1 };
  if (inner.depth > MAX_DEPTH) return Array.isArray(value) ? `[list of ${value.length}]` : '[object]';
  if (Array.isArray(value)) return listed(value, (item) => redactValue(item, inner));
  const entries = Object.entries(value);
  const kept = entries
    .slice(0, MAX_ITEMS)
    .map(([name, member]) => [recorded(name, 200, blankText), redactMember(name, member, inner)]);
  if (entries.length > MAX_ITEMS) kept.push(['…', `… ${entries.length - MAX_ITEMS} more`]);
  return Object.fromEntries(kept);
}

function redactMember(name: string, value: unknown, context: Context): unknown {
  if (OPAQUE_MEMBERS.has(name)) return REDACTED;
  if (name === 'headers') return redactWireHeaders(value, context);
  if (typeof value !== 'string') return holdsSecret(name, value) ? REDACTED : redactValue(value, context);
  if (name === 'url') return redactUrl(value, context.shown.url);
  if (name === 'body') return redactBody(value, context.shown.body);
  // The code of an error document.
  return isSecretName(name) && name !== 'code' && value !== ''
    ? REDACTED
    : recorded(value, context.shown.text, blankText);
}

/** A list, an object or a number under the name of a secret. A number may count tokens, or be an error's code. */
function holdsSecret(name: string, value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || !isSecretName(name)) return false;
  const { words, numbers } = exceptionsOf(name);
  return !words && !(numbers && typeof value === 'number');
}

/** `[{"x-a":"1"}]`, or whatever stands in its place: the answer may be anything. */
function redactWireHeaders(headers: unknown, context: Context): unknown {
  if (!Array.isArray(headers)) return redactValue(headers, context);
  return listed(headers, (pair) => {
    // A parsed answer has [name, value] in the place of {name: value}.
    const entries = isField(pair) ? [pair] : isJsonObject(pair) ? Object.entries(pair) : undefined;
    if (entries === undefined) return redactValue(pair, context);
    return Object.fromEntries(
      entries.map(([name, value]) => [
        recorded(name, 200, blankText),
        redactHeaderValue(name, value, context),
      ]),
    );
  });
}

/** A policy may give a list of values, and by mistake anything else. */
function redactHeaderValue(name: string, value: unknown, context: Context): unknown {
  const { secretHeader, shown } = context;
  if (typeof value === 'string') return redactHeader(name, value, secretHeader, shown.text);
  if (Array.isArray(value)) return listed(value, (item) => redactHeaderValue(name, item, context));
  return value !== null && redactHeader(name, '-', secretHeader) === REDACTED
    ? REDACTED
    : redactValue(value, context);
}

function listed(items: readonly unknown[], redact: (item: unknown) => unknown): unknown[] {
  const kept = items.slice(0, MAX_ITEMS).map(redact);
  return items.length > MAX_ITEMS ? [...kept, `… ${items.length - MAX_ITEMS} more`] : kept;
}

function isField(pair: unknown): pair is [string, string] {
  return Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string');
}

function isHarmless(text: string, characters: number): boolean {
  return text.length <= characters && HARMLESS.test(text) && !TOKEN_LIKE.test(text) && !NAMED.test(text);
}

/** Blanked and cut, both marked, and otherwise as it was. */
function recorded(text: string, characters: number, blank: (text: string) => string): string {
  if (isHarmless(text, characters)) return text;
  const limit = 2 * Math.max(characters, 500);
  const head = text.length > limit ? text.slice(0, limit) : text;
  const clean = blank(withoutMarks(head));
  const missing = text.length - head.length;
  if (missing === 0 && clean.length <= characters) return withoutCutMark(clean);
  return ended(clean, missing, characters);
}

/** Cut to so many characters, with a note of how many are missing. @param missing more than `text` has */
function ended(text: string, missing: number, characters: number): string {
  if (missing === 0) return cutText(text, characters);
  const shown = cutText(text, characters, missing);
  return shown === text ? `${text}… ${missing} more` : shown;
}
