import { PingAuthError } from '../errors/ping-auth-error.js';
import type { RequestUrl } from './message.js';
import { decodeLossless, decodeUtf8, encodeLossless, hasLoneSurrogate } from './text.js';

const HOST = /^(?:[A-Za-z0-9_][A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])$/;
const HOST_WITH_PORT = /^(.*?)(?::(\d{1,5}))?$/;
const ABSOLUTE_URL = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0020\u007f-\u009f\\]/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

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

/** A URL of the policy, taken apart but not altered; path and query as they stand in it. */
export interface AnsweredUrl {
  readonly scheme: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
  readonly query: string;
}

/**
 * @param parts what Kong says of a request's URL: `path` is `get_path`, decoded and normalised; `query` the raw one
 * @throws PingAuthError `request_unreadable` when no URL can be made of it that says what the upstream will get.
 */
export function requestUrlFromKong(parts: RequestUrl): RequestUrl {
  const { host, port, query } = parts;
  const [scheme, path] = [parts.scheme.toLowerCase(), escapeKongPath(parts.path)];
  const url = { scheme, host, port, path, query: query === '' ? undefined : query };
  checkRequestUrl(url);
  return url;
}

/**
 * @throws PingAuthError `request_unreadable` for a URL that reads differently from what it is: a Host like
 *   `good.example@evil` would name another server to the policy than to everybody else.
 */
export function checkRequestUrl(url: RequestUrl): void {
  if (url.scheme !== 'http' && url.scheme !== 'https') throw unreadable('scheme is neither http nor https');
  if (!isHost(url.host)) throw unreadable('Host is not a host name');
  if (!isPort(url.port)) throw unreadable('port is not in 1–65535');
  if (!url.path.startsWith('/')) throw unreadable('the path does not start with /');
}

/**
 * Whether Kong routes a request with this Host header by the host that the policy is shown. Kong's router compares the raw
 * header, nginx's `$host` is lower case, without a port and a trailing dot: `PUBLIC.example`, `public.example.` and
 * `public.example:` would be shown as `public.example` and routed as none of the routes' hosts.
 * @param host nginx's `$host`, which is Kong's `get_host`
 */
export function isRoutedAs(header: string, host: string): boolean {
  if (header === host) return true;
  return header.startsWith(`${host}:`) && /^\d{1,5}$/.test(header.slice(host.length + 1));
}

/** `scheme://host:port/path[?query]` as it is shown to the policy: the port always written, the query escaped. */
export function composeUrl(url: RequestUrl): string {
  const query = url.query === undefined || url.query === '' ? '' : `?${escapeQuery(url.query)}`;
  return `${url.scheme}://${url.host}:${url.port}${url.path}${query}`;
}

/**
 * Takes the policy's URL apart, strictly and without repairing anything: `new URL` would resolve `..`, drop tabs and
 * read `\` as `/`, so that another path goes upstream than the one that was answered.
 * @throws PingAuthError `directive_invalid`. The detail never shows the URL: its query may hold tokens.
 */
export function parseAnsweredUrl(text: string): AnsweredUrl {
  if (FORBIDDEN.test(text)) throw invalid('holds a control character, a blank or a backslash');
  if (hasLoneSurrogate(text)) throw invalid('is not well-formed text');
  const match = ABSOLUTE_URL.exec(text);
  if (!match) throw invalid('is not an absolute http or https URL without a fragment');
  const [, scheme = '', authority = '', path = '', query = ''] = match;
  if (authority.includes('@')) throw invalid('holds credentials');
  const { host, port } = parseAuthority(authority, 'url');
  if (BAD_ESCAPE.test(path) || BAD_ESCAPE.test(query)) throw invalid('holds an incomplete percent escape');
  return { scheme: scheme.toLowerCase(), host, port, path: path === '' ? '/' : path, query };
}

/**
 * The URL of a payload, or of a test case, as that of a request.
 * @throws PingAuthError `directive_invalid`
 */
export function requestUrlOf(text: string): RequestUrl {
  const { scheme, host, port, path, query } = parseAnsweredUrl(text);
  return {
    ...{ scheme, host, path, port: port ?? defaultPort(scheme) ?? 0 },
    query: query === '' ? undefined : query,
  };
}

/** `host[:port]`. @throws PingAuthError `directive_invalid` naming `field`. */
export function parseAuthority(text: string, field: string): { host: string; port: number | undefined } {
  const [, host = '', digits] = HOST_WITH_PORT.exec(text) ?? [];
  if (!isHost(host)) throw invalid('does not name a valid host', field);
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !isPort(port)) throw invalid('has a port that is not in 1–65535', field);
  return { host, port };
}

/** A segment `.` or `..`, escaped or not. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/i;

/** @throws PingAuthError `directive_invalid` for a path that the upstream would walk or cut short. */
export function checkNewPath(path: string): void {
  // set_path does not normalise (recorded), so `/v1/../admin` would be the upstream's to resolve.
  if (DOT_SEGMENT.test(path)) throw invalid('has a path with a . or .. segment');
  if (path.includes('%00')) throw invalid('has a path with a NUL');
}

/** The port that a URL of this scheme means when it names none. */
export function defaultPort(scheme: string): number | undefined {
  return DEFAULT_PORTS[scheme];
}

/** The port of an http or https URL, said or meant. */
export function portOf({ port, protocol }: URL): number {
  return port === '' ? (defaultPort(protocol.slice(0, -1)) ?? 0) : Number(port);
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
  if (BAD_ESCAPE.test(path)) throw unreadable('the path holds an incomplete escape');
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
  if (!raw.startsWith('/') || /[\u0000-\u0020\u007f#]|%00/.test(raw) || BAD_ESCAPE.test(raw))
    return undefined;
  const decoded = decodeUnreserved(raw);
  if (decodeUtf8(encodeLossless(decoded)) === undefined) return undefined; // Kong finds no route for those
  const resolved = resolveSegments(decoded);
  return resolved === undefined ? undefined : escapePath(resolved);
}

function decodeUnreserved(path: string): string {
  if (!path.includes('%')) return path;
  const bytes = Buffer.from(encodeLossless(path)).toString('latin1');
  const decoded = bytes.replace(/%(..)/g, (escaped, hex: string) => {
    const byte = Number.parseInt(hex, 16);
    return RESERVED.has(byte) ? escaped.toUpperCase() : String.fromCharCode(byte);
  });
  return decodeLossless(Buffer.from(decoded, 'latin1'));
}

/** Merges slashes and resolves dot segments; undefined when the path climbs over its root (nginx answers 400). */
function resolveSegments(path: string): string | undefined {
  const segments = path.split('/').slice(1);
  const kept: string[] = [];
  for (const segment of segments) {
    if (segment === '..') {
      if (kept.pop() === undefined) return undefined;
    } else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  if (['', '.', '..'].includes(segments.at(-1) ?? '')) kept.push('');
  return `/${kept.join('/')}`;
}

function percentEncode(run: string): string {
  let out = '';
  for (const byte of encodeLossless(run)) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return out;
}

function isHost(host: string): boolean {
  return host.length <= 255 && HOST.test(host);
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65_535;
}

function invalid(reason: string, field = 'url'): PingAuthError {
  return new PingAuthError('directive_invalid', { detail: `${field} ${reason}` });
}

export function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}
