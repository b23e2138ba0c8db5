import type { PluginConfig } from '../config/schema.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderList, valuesOf } from './header-list.js';
import {
  canonicalName,
  connectionTokens,
  hasControlCharacter,
  isImitation,
  isReservedInRequest,
  isSingletonInRequest,
  MARK_HEADER,
} from './header-rules.js';
import type { HttpRequest, HttpResponse } from './message.js';
import { checkRequestUrl } from './request-url.js';

/** `get_headers` gives no more than this, so at this many nobody knows whether there are others that the policy missed. */
export const MAX_VISIBLE_HEADERS = 1000;

/** Kong's router looks for the Host among so many (its `lua_max_req_headers`, default 100). */
export const MAX_ROUTED_HEADERS = 100;

/**
 * The methods nginx knows and Kong's `set_method` takes. Any other one reaches the upstream as GET when responses are
 * buffered. CONNECT never gets this far. TRACE is left out although nginx knows it: nginx answers a client's with 405,
 * and one set by the policy would have the upstream echo all headers, added credentials included, to the client.
 */
const METHODS = new Set([
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
  ...['MKCOL', 'COPY', 'MOVE', 'PROPFIND', 'PROPPATCH', 'LOCK', 'UNLOCK'],
]);

/** Exact, upper case: methods are case-sensitive, and `set_method('post')` is an error in Kong. */
export function isSupportedMethod(method: string): boolean {
  return METHODS.has(method);
}

/**
 * What is refused before the policy is asked, because its decision would be about another request than the one that the
 * upstream gets, or because Kong would not run the response phase.
 * @throws PingAuthError
 */
export function admitRequest(
  request: HttpRequest,
  settings: Pick<PluginConfig, 'allow_http2' | 'allow_upgrade'>,
): void {
  const { method, headers, httpVersion } = request;
  if (!isSupportedMethod(method)) {
    throw new PingAuthError('method_not_supported', {
      detail: `method ${JSON.stringify(method.slice(0, 40))}`,
    });
  }
  if (headers.size >= MAX_VISIBLE_HEADERS) throw new PingAuthError('too_many_request_headers');
  checkHttpVersion(httpVersion, settings.allow_http2);
  if (!settings.allow_upgrade && asksForUpgrade(headers)) throw new PingAuthError('upgrade_not_allowed');
  checkRequestUrl(request.url);
  checkHeaders(headers);
  checkConnection(headers);
}

/** @throws PingAuthError `too_many_response_headers` */
export function admitResponse(response: HttpResponse): void {
  if (response.headers.size >= MAX_VISIBLE_HEADERS) throw new PingAuthError('too_many_response_headers');
}

function checkHttpVersion(version: string, allowHttp2: boolean): void {
  if (version === '1.1' || /^1(?:\.\d)?$/.test(version)) return;
  if (!/^2(?:\.0)?$/.test(version)) throw unreadable('HTTP version is none of 1.0, 1.1, 2');
  if (!allowHttp2) throw new PingAuthError('http2_not_allowed');
}

/**
 * Kong looks at Upgrade alone, without `Connection: upgrade`, and switches the response phase off for `websocket`: a
 * client could free itself of it with that one header. `h2c` Kong ignores, and Java's HttpClient offers it on every
 * plain request, so that one passes.
 */
function asksForUpgrade(headers: HeaderList): boolean {
  if (!headers.has('upgrade')) return false;
  return headers
    .getAll('upgrade')
    .flatMap((value) => value.split(','))
    .some((protocol) => !['', 'h2c'].includes(protocol.trim().toLowerCase()));
}

/**
 * Where Kong holds responses back, it asks the upstream with a copy of the request's headers, which differs from what the
 * policy was shown (seen on a running Kong): of several lines of a header that nginx keeps once the last goes out, and a
 * control character goes out as `%0B`. All of these headers may stand once, and no value may have such a character.
 */
function checkHeaders(headers: HeaderList): void {
  if (headers.getAll('host').length > 1) throw unreadable('several Host headers');
  if (headers.fields.some(([name]) => name.includes('_'))) checkSpellings(headers);
  for (const [name, value] of headers.fields) {
    if (isSingletonInRequest(name) && headers.get(name) !== value && !isReservedInRequest(name))
      throw unreadable(`several lines of ${name}, of which Kong would send on the last one alone`);
    if (hasControlCharacter(value)) throw unreadable(`a control character in ${name}`);
  }
}

/**
 * `x_role` and `x-role` are one header to an upstream that reads CGI variables (WSGI, PHP), and it sees either of them. So they
 * must not differ, and none may be nearly called like one that decides how the request is read.
 */
function checkSpellings(headers: HeaderList): void {
  const spellings = new Map<string, { readonly name: string; readonly values: string }>();
  const record = headers.toRecord();
  for (const name of Object.keys(record)) {
    if (isImitation(name)) throw unreadable(`a header is nearly called ${canonicalName(name)}`);
    const other = spellings.get(canonicalName(name));
    const spelling = { name, values: valuesOf(record[name]).join() };
    if (other !== undefined && other.values !== spelling.values)
      throw unreadable(`${name} and ${other.name} differ, and are one header to some servers`);
    spellings.set(canonicalName(name), spelling);
  }
}

/**
 * Kong takes off what the client's Connection header names after all plugins have run: without its Content-Length the
 * rest of a body would be read as a second request that no policy has seen; without our mark the upstream would take a
 * request that went on without a decision for a permitted one; and a header of the client that the policy has seen and
 * decided by would not reach the upstream.
 */
function checkConnection(headers: HeaderList): void {
  const tokens = connectionTokens(headers);
  if (tokens.size === 0) return;
  for (const name of ['content-length', 'transfer-encoding', 'host', MARK_HEADER]) {
    if (tokens.has(name)) throw unreadable(`the Connection header names ${name}`);
  }
  for (const [name] of headers.fields) {
    if (tokens.has(name) && !isReservedInRequest(name))
      throw unreadable(`the Connection header names ${name}, a header of this request`);
  }
}

function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}
