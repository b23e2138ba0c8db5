import { STATUS_CODES } from 'node:http';
import type { PluginConfig } from '../config/schema.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import {
  canonicalName,
  connectionTokens,
  type HeaderList,
  isImitation,
  isReservedInRequest,
  MARK_HEADER,
  SINGLETONS_IN_REQUEST,
} from './headers.js';
import type { HttpRequest, HttpResponse } from './message.js';
import { checkRequestUrl, unreadable } from './request-url.js';
import { hasControlCharacter, listItems } from './text.js';

/** `get_headers` gives no more than this, so at this many there may be others that the policy was not shown. */
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

/** RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5. */
const BODYLESS = new Set([204, 205, 304]);

/** nginx closes the connection without an answer for these two. */
const SILENT = new Set([444, 499]);

/** Exact, upper case: methods are case-sensitive, and `set_method('post')` is an error in Kong. */
export function isSupportedMethod(method: string): boolean {
  return METHODS.has(method);
}

/** A status that Kong can send: below 200 the client waits for ever, from 600 on Kong fails with 500. */
export function isSendableStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status <= 599 && !SILENT.has(status);
}

/** Whether a response with this status has no body, whatever its headers say. */
export function isBodiless(status: number): boolean {
  return BODYLESS.has(status);
}

/** Whether a response with this status to a request with this method may have a body. */
export function allowsBody(status: number, method: string): boolean {
  return method !== 'HEAD' && !BODYLESS.has(status);
}

/** Reason phrase for `response_status`; an unregistered status gets that of its class (RFC 9110, section 15). */
export function reasonPhrase(status: number): string {
  return STATUS_CODES[status] ?? STATUS_CODES[Math.trunc(status / 100) * 100] ?? 'Unknown';
}

/**
 * What is refused before the policy is asked, because its decision would be about another request than the one that the
 * upstream gets, or because Kong would not run the response phase.
 * @throws PingAuthError
 */
export function admitRequest(
  { method, url, headers, httpVersion }: HttpRequest,
  settings: Pick<PluginConfig, 'allow_http2' | 'allow_upgrade'>,
): void {
  if (!isSupportedMethod(method)) {
    throw new PingAuthError('method_not_supported', {
      detail: `method ${JSON.stringify(method.slice(0, 40))}`,
    });
  }
  if (headers.size >= MAX_VISIBLE_HEADERS) throw new PingAuthError('too_many_request_headers');
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    if (httpVersion !== '2' && httpVersion !== '2.0') throw unreadable('HTTP version is none of 1.0, 1.1, 2');
    if (!settings.allow_http2) throw new PingAuthError('http2_not_allowed');
  }
  if (!settings.allow_upgrade && asksForUpgrade(headers)) throw new PingAuthError('upgrade_not_allowed');
  checkRequestUrl(url);
  checkHeaders(headers);
  checkConnection(headers);
}

/** @throws PingAuthError `too_many_response_headers` */
export function admitResponse(response: HttpResponse): void {
  if (response.headers.size >= MAX_VISIBLE_HEADERS) throw new PingAuthError('too_many_response_headers');
}

/**
 * Kong looks at Upgrade alone, without `Connection: upgrade`, and switches the response phase off for `websocket`: a
 * client could free itself of it with that one header. `h2c` Kong ignores, and Java's HttpClient offers it on every
 * plain request, so that one passes.
 */
function asksForUpgrade(headers: HeaderList): boolean {
  return listItems(headers.getAll('upgrade')).some((protocol) => protocol !== 'h2c');
}

/**
 * Where Kong buffers responses, it asks the upstream with a copy of the request's headers, which differs from what the
 * policy was shown (seen on a running Kong): of several lines of a header that nginx keeps once the last goes out, and a
 * control character goes out as `%0B`. All of these headers may stand once, and no value may have such a character.
 */
function checkHeaders(headers: HeaderList): void {
  let hosts = 0;
  let hasUnderscore = false;
  for (const field of headers.fields) {
    const [name, value] = field;
    if (name === 'host') hosts += 1;
    hasUnderscore ||= name.includes('_');
    if (SINGLETONS_IN_REQUEST.has(name) && headers.get(name) !== value && !isReservedInRequest(name))
      throw unreadable(`several lines of ${name}, of which Kong would send on the last one alone`);
    if (hasControlCharacter(value)) throw unreadable(`a control character in ${name}`);
  }
  if (hosts > 1) throw unreadable('several Host headers');
  if (hasUnderscore) checkSpellings(headers);
}

/**
 * `x_role` and `x-role` are one header to an upstream that reads CGI variables (WSGI, PHP), and it sees either of them. So they
 * must not differ, and none may be nearly called like one that decides how the request is read.
 */
function checkSpellings(headers: HeaderList): void {
  const record = headers.toRecord();
  const spellings = new Map<string, string>();
  for (const name of Object.keys(record)) {
    const canonical = canonicalName(name);
    if (isImitation(name)) throw unreadable(`a header is nearly called ${canonical}`);
    const other = spellings.get(canonical) ?? name;
    if (String(record[other]) !== String(record[name]))
      throw unreadable(`${name} and ${other} differ, and are one header to some servers`);
    spellings.set(canonical, name);
  }
}

/**
 * Kong removes what the client's Connection header names after all plugins have run: without its Content-Length the
 * rest of a body would be read as a second request that no policy has seen; without our mark the upstream would take a
 * request that was forwarded without a decision for a permitted one; and a header of the client that the policy has seen and
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
