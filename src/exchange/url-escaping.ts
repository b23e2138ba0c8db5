import { PingAuthError } from '../errors/ping-auth-error.js';
import { decodeLossless, decodeUtf8, encodeLossless } from './text.js';

/** Kong escapes everything in a path but these when it writes the upstream's request line (recorded on 3.9.3). */
const PATH_UNSAFE = /[^!#$&'()*+,/:;=?@[\]A-Za-z0-9\-_.~%]+/gu;
/** What may not stand in the query of a URL that somebody has to parse. */
const QUERY_UNSAFE = /[^!$&'()*+,/:;=?@[\]A-Za-z0-9\-_.~%]+/gu;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;
const BAD_ESCAPES = /%(?![0-9A-Fa-f]{2})/g;
/** No escape, no dot segment, no double slash, nothing to escape: Kong leaves such a path as it is. */
const ORDINARY_PATH = /^(?:\/(?![./])[!$&'()*+,:;=@[\]A-Za-z0-9\-_.~]*)*\/?$/;
/** Escapes of these stay when Kong normalises a path: decoding one would change what the path means. */
const RESERVED = new Set(Buffer.from("!*'();:@&=+$,/?%#[]", 'latin1'));

/** The escapes `%XX` of a text are complete. */
export function hasValidEscapes(text: string): boolean {
  return !BAD_ESCAPE.test(text);
}

/** Escapes a path as Kong does for the upstream: what is escaped already stays. */
export function escapePath(path: string): string {
  return path.replace(PATH_UNSAFE, percentEncode);
}

/**
 * The escaped path that the upstream gets, from Kong's `get_path` (decoded but for reserved characters, and normalised).
 * @throws PingAuthError `request_unreadable` for a path in which policy and upstream could see different things.
 */
export function escapeKongPath(path: string): string {
  if (!path.startsWith('/')) throw unreadable('the path does not start with /');
  // A raw `#` goes to the upstream as it came, where a parser may cut the path; %23 stays escaped and is fine.
  if (/[?#]/.test(path)) throw unreadable('the path holds a raw ? or #');
  if (!hasValidEscapes(path)) throw unreadable('the path holds an incomplete escape');
  return escapePath(path);
}

/**
 * The query as it is shown to the policy: a valid one, however raw the client's is (`|`, Latin-1 bytes, `%zz`). The
 * upstream gets the client's own bytes.
 */
export function escapeQuery(query: string): string {
  return query.replace(BAD_ESCAPES, '%25').replace(QUERY_UNSAFE, percentEncode);
}

/**
 * The escaped path that Kong sends to the upstream, computed from a request target (`$request_uri`, in which nginx has
 * already cut scheme and host off); undefined where this cannot be told for sure, then ask Kong (`get_path`).
 */
export function normalisePath(target: string): string | undefined {
  const mark = target.indexOf('?');
  const raw = mark < 0 ? target : target.slice(0, mark);
  if (ORDINARY_PATH.test(raw) && raw !== '') return raw;
  // Control characters and blanks, a fragment, a NUL, an incomplete escape: nginx refuses them or reads them its own way.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!raw.startsWith('/') || /[\u0000-\u0020\u007f#]|%00/.test(raw) || !hasValidEscapes(raw))
    return undefined;
  const decoded = decodeUnreserved(raw);
  if (decodeUtf8(encodeLossless(decoded)) === undefined) return undefined; // Kong finds no route for those
  const resolved = resolveSegments(decoded);
  return resolved === undefined ? undefined : escapePath(resolved);
}

/** Whether a path would be walked by the upstream: a segment `.` or `..`, escaped or not. */
export function hasDotSegment(path: string): boolean {
  return /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/i.test(path);
}

function decodeUnreserved(path: string): string {
  if (!path.includes('%')) return path;
  const bytes: number[] = [];
  const raw = encodeLossless(path);
  for (let at = 0; at < raw.length; at += 1) {
    const byte = raw[at] ?? 0;
    if (byte !== 0x25) {
      bytes.push(byte);
      continue;
    }
    const hex = String.fromCharCode(raw[at + 1] ?? 0, raw[at + 2] ?? 0).toUpperCase();
    const value = Number.parseInt(hex, 16);
    if (RESERVED.has(value)) bytes.push(byte, hex.charCodeAt(0), hex.charCodeAt(1));
    else bytes.push(value);
    at += 2;
  }
  return decodeLossless(Uint8Array.from(bytes));
}

/** Merges slashes and resolves dot segments; undefined when the path climbs over its root (nginx answers 400). */
function resolveSegments(path: string): string | undefined {
  const segments = path.split('/').slice(1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined;
    } else if (segment !== '' && segment !== '.') {
      kept.push(segment);
      continue;
    }
    if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}

function percentEncode(run: string): string {
  let out = '';
  for (const byte of encodeLossless(run)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}

function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}
