import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from './header-list.js';
import type { RequestUrl } from './http-message.js';
import { hasLoneSurrogate } from './text.js';
import { escapeKongPath, escapeQuery, hasDotSegment, hasValidEscapes } from './url-escaping.js';

const HOST = /^(?:[A-Za-z0-9_][A-Za-z0-9._~-]*|\[[0-9A-Fa-f:.]+\])$/;
const HOST_WITH_PORT = /^(.*?)(?::(\d{1,5}))?$/;
const ABSOLUTE_URL = /^(https?):\/\/([^/?#]*)([^?#]*)(?:\?([^#]*))?$/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const FORBIDDEN = /[\u0000-\u0020\u007f-\u009f\\]/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** What Kong says about a request's URL. `path` is `get_path`: decoded and normalised; `query` the raw one. */
export interface KongUrlParts {
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly query: string | undefined;
}

/** A URL of the policy, taken apart but not altered; path and query as they stand in it. */
export interface AnsweredUrl {
  readonly scheme: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
  readonly query: string;
}

/** @throws PingAuthError `request_unreadable` when no URL can be made of it that says what the upstream will get. */
export function requestUrlFromKong(parts: KongUrlParts): RequestUrl {
  const url = { ...parts, scheme: parts.scheme.toLowerCase(), path: escapeKongPath(parts.path) };
  checkRequestUrl(url);
  return { ...url, query: parts.query === '' ? undefined : parts.query };
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
 * nginx takes the host of an absolute request target (`GET http://a/x HTTP/1.1`) and leaves the Host header as it came;
 * Kong chooses the route by the header. Where they differ, the policy would decide about the one host while the other
 * one's upstream gets the request.
 * @param host nginx's `$host`, which is Kong's `get_host`
 * @throws PingAuthError `request_unreadable`
 */
export function checkTargetHost(host: string, headers: HeaderList): void {
  const header = headers.get('host');
  if (header === undefined || header === '' || isHostOf(header, host)) return;
  throw unreadable('the request target and the Host header name different hosts');
}

/** Whether nginx makes this host of a Host header: in lower case, without the port and the root's dot. */
export function isHostOf(header: string, host: string): boolean {
  const [name = ''] = /^(?:\[[^\]]*\]|[^:]*)/.exec(header) ?? [];
  return name.toLowerCase().replace(/\.$/, '') === host.toLowerCase().replace(/\.$/, '');
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
  if (!hasValidEscapes(path) || !hasValidEscapes(query)) throw invalid('holds an incomplete percent escape');
  return { scheme: scheme.toLowerCase(), host, port, path: path === '' ? '/' : path, query };
}

/** `host[:port]`. @throws PingAuthError `directive_invalid` naming `field`. */
export function parseAuthority(text: string, field: string): { host: string; port: number | undefined } {
  const [, host = '', digits] = HOST_WITH_PORT.exec(text) ?? [];
  if (!isHost(host)) throw invalid('does not name a valid host', field);
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && !isPort(port)) throw invalid('has a port that is not in 1–65535', field);
  return { host, port };
}

/** @throws PingAuthError `directive_invalid` for a path that the upstream would walk or cut short. */
export function checkNewPath(path: string): void {
  // set_path does not normalise (recorded), so `/v1/../admin` would be the upstream's to resolve.
  if (hasDotSegment(path)) throw invalid('has a path with a . or .. segment');
  if (path.includes('%00')) throw invalid('has a path with a NUL');
}

/** The port that a URL of this scheme means when it names none. */
export function defaultPort(scheme: string): number | undefined {
  return DEFAULT_PORTS[scheme];
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

function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}
