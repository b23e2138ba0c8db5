import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderField } from '../exchange/header-list.js';
import type { HttpRequest } from '../exchange/http-message.js';
import { type AnsweredUrl, defaultPort, parseAuthority } from '../exchange/request-url.js';
import { trimBlanks } from './validation.js';

/**
 * The `Host` that the policy wants for the upstream, from its URL or its Host header; undefined when it changed neither.
 * A Host that is missing from the answer stays: there is no request without one.
 * @throws PingAuthError `directive_invalid` for an invalid host, several Host headers, or two that disagree.
 */
export function newUpstreamHost(
  url: AnsweredUrl,
  headers: readonly HeaderField[],
  request: HttpRequest,
): string | undefined {
  const fromUrl = hostOfUrl(url, request);
  const fromHeader = hostOfHeader(headers, request);
  if (fromHeader === undefined || fromUrl === undefined) return fromHeader?.value ?? fromUrl;
  if (fromHeader.host.toLowerCase() !== url.host.toLowerCase()) {
    throw invalid('url and the Host header name different hosts');
  }
  return fromHeader.value;
}

/**
 * The port is written only where the policy chose it: the one that was shown is the gateway's own and means nothing to
 * the upstream.
 */
function hostOfUrl(url: AnsweredUrl, request: HttpRequest): string | undefined {
  if (url.host.toLowerCase() === request.url.host.toLowerCase()) return undefined;
  const { port } = url;
  const isChosen = port !== undefined && port !== request.url.port && port !== defaultPort(url.scheme);
  return isChosen ? `${url.host}:${port}` : url.host;
}

function hostOfHeader(
  headers: readonly HeaderField[],
  request: HttpRequest,
): { host: string; value: string } | undefined {
  const values = headers
    .filter(([name]) => name.toLowerCase() === 'host')
    .map(([, value]) => trimBlanks(value));
  const [value] = values;
  if (value === undefined) return undefined;
  if (values.length > 1) throw invalid('several Host headers');
  if (value.toLowerCase() === request.headers.get('host')?.toLowerCase()) return undefined;
  return { host: parseAuthority(value, 'header host').host, value };
}

function invalid(detail: string): PingAuthError {
  return new PingAuthError('directive_invalid', { detail });
}
