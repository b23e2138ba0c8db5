import { HEADERS_SEEN_AT_MOST } from '../exchange/admission.js';
import type { HeaderList } from '../exchange/header-list.js';
import { checkTargetHost, isHostOf, requestUrlFromKong } from '../exchange/request-url.js';
import type { KongPdk } from './kong-pdk.js';
import { headerList, httpVersion, optionalString, requiredInteger, requiredString } from './pdk-values.js';
import type { RequestHead } from './request-head.js';

/**
 * Reads the head of the client's request with nothing but Kong's own calls: twelve in one round trip, and a thirteenth
 * behind a proxy that names another host.
 * @throws PingAuthError `internal_error`, `request_unreadable`
 */
export async function readHeadByCalls(kong: KongPdk): Promise<RequestHead> {
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
    kong.request.getHeaders(HEADERS_SEEN_AT_MOST),
    kong.nginx.getVar('ssl_client_raw_cert'),
    kong.nginx.getVar('kong_request_id'),
  ]);
  const headerFields = headerList(headers, 'kong.request.get_headers');
  const forwardedHost = requiredString(host, 'kong.request.get_forwarded_host');
  await checkHost(kong, forwardedHost, headerFields);
  return {
    method: requiredString(method, 'kong.request.get_method'),
    url: requestUrlFromKong({
      scheme: requiredString(scheme, 'kong.request.get_forwarded_scheme'),
      host: forwardedHost,
      port: requiredInteger(forwardedPort, 'kong.request.get_forwarded_port'),
      path: requiredString(path, 'kong.request.get_path'),
      query: optionalString(query, 'kong.request.get_raw_query'),
    }),
    httpVersion: httpVersion(version, 'kong.request.get_http_version'),
    headers: headerFields,
    sourceIp: requiredString(ip, 'kong.client.get_forwarded_ip'),
    sourcePort: requiredInteger(port, 'kong.client.get_port'),
    clientCertificatePem: optionalString(certificate, 'kong.nginx.get_var(ssl_client_raw_cert)'),
    requestId: optionalString(requestId, 'kong.nginx.get_var(kong_request_id)'),
  };
}

/** Another host than the Host header's is a trusted proxy's X-Forwarded-Host or the request target's; Kong knows which. */
async function checkHost(kong: KongPdk, forwardedHost: string, headers: HeaderList): Promise<void> {
  const header = headers.get('host');
  if (header === undefined || isHostOf(header, forwardedHost)) return;
  checkTargetHost(requiredString(await kong.request.getHost(), 'kong.request.get_host'), headers);
}
