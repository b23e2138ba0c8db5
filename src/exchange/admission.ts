import type { PluginConfig } from '../config/plugin-config.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from './header-list.js';
import { connectionTokens, MARK_HEADER } from './header-rules.js';
import type { HttpRequest, HttpResponse } from './http-message.js';
import { isSupportedMethod } from './methods.js';
import { checkRequestUrl } from './request-url.js';

/** `get_headers` gives no more than this, so at this many nobody knows whether there are others that the policy missed. */
export const HEADERS_SEEN_AT_MOST = 1000;

/**
 * What is refused before the policy is asked, because its decision would be about another request than the one that the
 * upstream gets, or because Kong would not run the response phase.
 * @throws PingAuthError
 */
export function admitRequest(
  request: HttpRequest,
  settings: Pick<PluginConfig, 'allow_http2' | 'allow_upgrade'>,
): void {
  if (!isSupportedMethod(request.method)) {
    throw new PingAuthError('method_not_supported', {
      detail: `method ${JSON.stringify(request.method.slice(0, 40))}`,
    });
  }
  if (request.headers.size >= HEADERS_SEEN_AT_MOST) throw new PingAuthError('too_many_request_headers');
  checkHttpVersion(request.httpVersion, settings.allow_http2);
  if (!settings.allow_upgrade && asksForUpgrade(request.headers))
    throw new PingAuthError('upgrade_not_allowed');
  checkRequestUrl(request.url);
  if (request.headers.getAll('host').length > 1) throw unreadable('several Host headers');
  checkConnection(request.headers);
}

/** @throws PingAuthError `too_many_response_headers` */
export function admitResponse(response: HttpResponse): void {
  if (response.headers.size >= HEADERS_SEEN_AT_MOST) throw new PingAuthError('too_many_response_headers');
}

function checkHttpVersion(version: string, allowHttp2: boolean): void {
  if (/^1(?:\.\d)?$/.test(version)) return;
  if (!/^2(?:\.0)?$/.test(version)) throw unreadable('HTTP version is none of 1.0, 1.1, 2');
  if (!allowHttp2) throw new PingAuthError('http2_not_allowed');
}

/**
 * Kong looks at Upgrade alone, without `Connection: upgrade`, and switches the response phase off for `websocket`: a
 * client could free itself of it with that one header. `h2c` Kong ignores, and Java's HttpClient offers it on every
 * plain request, so that one passes.
 */
function asksForUpgrade(headers: HeaderList): boolean {
  return headers
    .getAll('upgrade')
    .flatMap((value) => value.split(','))
    .some((protocol) => !['', 'h2c'].includes(protocol.trim().toLowerCase()));
}

/**
 * Kong takes off what the client's Connection header names after all plugins have run: without its Content-Length the
 * rest of a body would be read as a second request that no policy has seen, and without our mark the upstream would take
 * a request that went on without a decision for a permitted one.
 */
function checkConnection(headers: HeaderList): void {
  const tokens = connectionTokens(headers);
  for (const name of ['content-length', 'transfer-encoding', 'host', MARK_HEADER]) {
    if (tokens.has(name)) throw unreadable(`the Connection header names ${name}`);
  }
}

function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}
