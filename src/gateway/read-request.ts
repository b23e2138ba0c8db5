import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from '../exchange/header-list.js';
import type { HttpRequest, OmissionReason } from '../exchange/http-message.js';
import { requestUrlFromKong } from '../exchange/request-url.js';
import type { ReadLimits, RequestReading } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import {
  bytes,
  headerList,
  httpVersion,
  optionalString,
  requiredInteger,
  requiredString,
} from './pdk-values.js';

/** Kong's `get_headers` shows no more than this, whatever the client sent. */
export const MAX_HEADERS = 1000;

/**
 * Reads the client's request: twelve calls in one round trip, and a second one only for a body.
 *
 * @throws PingAuthError `request_body_too_large` when the body is over the limit and the admin wants that refused
 */
export async function readRequest(kong: KongPdk, limits: ReadLimits): Promise<RequestReading> {
  const [
    ip,
    port,
    method,
    scheme,
    host,
    forwardedPort,
    path,
    query,
    version,
    headers,
    certificate,
    requestId,
  ] = await Promise.all([
    kong.client.getForwardedIp(),
    kong.client.getPort(),
    kong.request.getMethod(),
    kong.request.getForwardedScheme(),
    kong.request.getForwardedHost(),
    kong.request.getForwardedPort(),
    kong.request.getPath(),
    kong.request.getRawQuery(),
    kong.request.getHttpVersion(),
    kong.request.getHeaders(MAX_HEADERS),
    kong.nginx.getVar('ssl_client_raw_cert'),
    kong.nginx.getVar('kong_request_id'),
  ]);
  const head = {
    method: requiredString(method, 'kong.request.get_method'),
    url: requestUrlFromKong({
      scheme: requiredString(scheme, 'kong.request.get_forwarded_scheme'),
      host: requiredString(host, 'kong.request.get_forwarded_host'),
      port: requiredInteger(forwardedPort, 'kong.request.get_forwarded_port'),
      path: requiredString(path, 'kong.request.get_path'),
      query: optionalString(query, 'kong.request.get_raw_query'),
    }),
    httpVersion: httpVersion(version, 'kong.request.get_http_version'),
    headers: headerList(headers, 'kong.request.get_headers'),
    sourceIp: requiredString(ip, 'kong.client.get_forwarded_ip'),
    sourcePort: requiredInteger(port, 'kong.client.get_port'),
    clientCertificatePem: optionalString(certificate, 'kong.nginx.get_var(ssl_client_raw_cert)'),
  };
  const body = await readBody(kong, head, limits);
  return {
    request: { ...head, body: body.bytes },
    unreadBody: body.unread,
    requestId: optionalString(requestId, 'kong.nginx.get_var(kong_request_id)'),
  };
}

interface BodyReading {
  readonly bytes: Uint8Array;
  readonly unread: OmissionReason | undefined;
}

const NO_BODY: BodyReading = { bytes: new Uint8Array(0), unread: undefined };

async function readBody(
  kong: KongPdk,
  head: Pick<HttpRequest, 'headers' | 'httpVersion'>,
  limits: ReadLimits,
): Promise<BodyReading> {
  if (!mayHaveBody(head.headers, head.httpVersion)) return NO_BODY;
  if (!limits.readBody) return { ...NO_BODY, unread: 'disabled' };
  if (Number(head.headers.get('content-length') ?? 0) > limits.maxBodyBytes) return overLimit(limits);
  try {
    // The stock host answers a body over the limit with an error that its plugin never sees, so it gets no limit (0).
    const raw = await kong.request.getRawBody(limits.hostLimitsBody ? limits.maxBodyBytes : 0);
    const read = bytes(raw, 'kong.request.get_raw_body');
    return read.byteLength > limits.maxBodyBytes ? overLimit(limits) : { bytes: read, unread: undefined };
  } catch (thrown) {
    if (isBodyTooLarge(thrown)) return overLimit(limits);
    throw thrown;
  }
}

/** HTTP/2 needs neither Content-Length nor Transfer-Encoding to have a body. */
function mayHaveBody(headers: HeaderList, version: string): boolean {
  if (headers.has('transfer-encoding')) return true;
  const length = headers.get('content-length');
  return length === undefined ? Number(version) >= 2 : length !== '0';
}

function overLimit(limits: ReadLimits): BodyReading {
  if (limits.overLimit === 'omit') return { ...NO_BODY, unread: 'too_large' };
  throw new PingAuthError('request_body_too_large', { detail: `more than ${limits.maxBodyBytes} bytes` });
}

function isBodyTooLarge(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_BODY_TOO_LARGE';
}
