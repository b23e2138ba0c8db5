import { PingAuthError } from '../errors/ping-auth-error.js';
import { MAX_ROUTED_HEADERS, MAX_VISIBLE_HEADERS } from '../http/admission.js';
import { canonicalName, type HeaderList } from '../http/headers.js';
import type { HttpRequest, RequestUrl } from '../http/message.js';
import { checkRequestUrl, isRoutedAs, normalisePath, requestUrlFromKong } from '../http/request-url.js';
import type { RequestOwner } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import {
  headerList,
  httpVersion,
  optionalString,
  REQUEST_VARIABLE,
  type RequestVariable,
  readRequestVariable,
  requiredInteger,
  requiredString,
} from './pdk-values.js';

/** The client's request without its body. */
export type RequestHead = Omit<HttpRequest, 'body'>;

type Identified = Pick<RequestOwner, 'identified'>;

export const NO_OWNER: RequestOwner = { identified() {}, memory: { grow() {}, shrink() {} } };

/** A Kong has a handful of listeners. */
const MAX_PORTS = 16;

/**
 * Reads the heads of one plugin instance's requests, with as few calls as the Kong at hand allows: two where the nginx
 * variable is set up, twelve where it is not. Both give the same head. It remembers what is true of Kong's configuration,
 * which an instance does not outlive, and never anything of a request: only, to ask for it in time, which kinds of
 * X-Forwarded-* headers the last one had.
 */
export class RequestHeadReader {
  #variableIsAbsent = false;
  /** `get_forwarded_port` for each listener, for requests without X-Forwarded-*: Kong's port_maps decide it. */
  readonly #ports = new Map<string, number>();
  #expected: readonly ForwardedPart[] = NO_PARTS;

  /** @throws PingAuthError `internal_error`, `request_unreadable` */
  async read(kong: KongPdk, owner: Identified = NO_OWNER): Promise<RequestHead> {
    if (this.#variableIsAbsent) return readHeadByCalls(kong, owner);
    // Calls that are made together go out together, and their number is what a request costs Kong.
    const [text, headerMap, early] = await Promise.all([
      kong.nginx.getVar(REQUEST_VARIABLE),
      kong.request.getHeaders(MAX_VISIBLE_HEADERS),
      this.#expected === NO_PARTS ? NO_ANSWERS : askForwarded(kong, this.#expected),
    ]);
    const reading = readRequestVariable(optionalString(text, `kong.nginx.get_var(${REQUEST_VARIABLE})`));
    if (reading.kind === 'absent') this.#variableIsAbsent = true;
    if (reading.kind !== 'read') return readHeadByCalls(kong, owner);
    const { variable } = reading;
    owner.identified(variable.requestId);
    const headers = visibleHeaders(headerMap);
    if (!isPlainHost(variable.host, headers)) await checkRoutedHost(kong, variable.host, headers);
    const parts = forwardedParts(headers);
    this.#expected = parts;
    const path = normalisePath(variable.target);
    const port = this.#ports.get(variable.serverPort);
    const isPlain = path !== undefined && port !== undefined && parts === NO_PARTS && early === NO_ANSWERS;
    return {
      method: variable.method,
      url: isPlain
        ? checkedUrl(variable.scheme, variable.host, port, path, variable.query)
        : await this.#urlWithAnswers(kong, variable, parts, early, path),
      httpVersion: variable.httpVersion,
      headers,
      sourceIp: variable.sourceIp,
      sourcePort: variable.sourcePort,
      clientCertificatePem: variable.clientCertificatePem,
    };
  }

  /** Asks Kong for what the variable does not tell: the port at first, what a proxy's headers change, an odd path. */
  async #urlWithAnswers(
    kong: KongPdk,
    variable: RequestVariable,
    parts: readonly ForwardedPart[],
    early: ForwardedAnswers,
    path: string | undefined,
  ): Promise<RequestUrl> {
    const { serverPort } = variable;
    const missing = new Set(parts.filter((part) => !(part in early)));
    const knownPort = this.#ports.get(serverPort);
    if (knownPort === undefined && !('port' in early)) missing.add('port');
    const [late, kongPath] = await Promise.all([
      askForwarded(kong, missing),
      path === undefined ? kong.request.getPath() : undefined,
    ]);
    const answers = { ...early, ...late };

    const port =
      'port' in answers ? requiredInteger(answers.port, 'kong.request.get_forwarded_port') : knownPort;
    if (port === undefined) throw new Error('the port was not asked for');
    if (!parts.includes('port') && this.#ports.size < MAX_PORTS) this.#ports.set(serverPort, port);
    const scheme =
      'scheme' in answers
        ? requiredString(answers.scheme, 'kong.request.get_forwarded_scheme').toLowerCase()
        : variable.scheme;
    const host =
      'host' in answers ? requiredString(answers.host, 'kong.request.get_forwarded_host') : variable.host;
    if (path !== undefined) return checkedUrl(scheme, host, port, path, variable.query);
    const told = requiredString(kongPath, 'kong.request.get_path');
    return requestUrlFromKong({ scheme, host, port, path: told, query: variable.query });
  }
}

function checkedUrl(scheme: string, host: string, port: number, path: string, query: string): RequestUrl {
  const url = { scheme, host, port, path, query: query === '' ? undefined : query };
  checkRequestUrl(url);
  return url;
}

/**
 * Reads the head of the client's request with nothing but Kong's own calls: twelve in one round trip, and a thirteenth
 * behind a proxy that names another host.
 * @throws PingAuthError `internal_error`, `request_unreadable`
 */
export async function readHeadByCalls(kong: KongPdk, owner: Identified = NO_OWNER): Promise<RequestHead> {
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
    kong.request.getHeaders(MAX_VISIBLE_HEADERS),
    kong.nginx.getVar('ssl_client_raw_cert'),
    kong.nginx.getVar('kong_request_id'),
  ]);
  owner.identified(optionalString(requestId, 'kong.nginx.get_var(kong_request_id)'));
  const headerFields = visibleHeaders(headers);
  const forwardedHost = requiredString(host, 'kong.request.get_forwarded_host');
  if (forwardedParts(headerFields).includes('host') || !isPlainHost(forwardedHost, headerFields)) {
    const own = requiredString(await kong.request.getHost(), 'kong.request.get_host');
    await checkRoutedHost(kong, own, headerFields);
  }
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
  };
}

/** Kong takes `Proxy` off every request (httpoxy), so the upstream never sees it. */
function visibleHeaders(map: unknown): HeaderList {
  const headers = headerList(map, 'kong.request.get_headers');
  return headers.has('proxy') ? headers.filter((name) => name !== 'proxy') : headers;
}

/** The usual case, without another call to Kong. */
function isPlainHost(host: string, headers: HeaderList): boolean {
  const header = headers.get('host');
  return header !== undefined && headers.size < MAX_ROUTED_HEADERS && isRoutedAs(header, host);
}

/**
 * The policy decides about nginx's `$host`, which may come from an absolute request target or from a Host header that Kong's
 * router does not see. Where Kong would route by another host, another service would get the request.
 * @param host nginx's `$host`, which is Kong's `get_host`
 * @throws PingAuthError `request_unreadable`
 */
async function checkRoutedHost(kong: KongPdk, host: string, headers: HeaderList): Promise<void> {
  const header = headers.get('host') ?? '';
  if (header === '') {
    // Without a Host header and without a host in the request target, `$host` is the name of nginx's server.
    const serverName = await kong.nginx.getVar('server_name');
    if (optionalString(serverName, 'kong.nginx.get_var(server_name)') === host) return;
    throw unreadable('the request target names a host and there is no Host header');
  }
  if (!isRoutedAs(header, host)) {
    throw unreadable(
      'Kong routes by the Host header, which is not exactly the host of the request, or that with a port',
    );
  }
  if (headers.size < MAX_ROUTED_HEADERS) return;
  const routed = headerList(await kong.request.getHeaders(MAX_ROUTED_HEADERS), 'kong.request.get_headers');
  if (routed.get('host') !== header) {
    throw unreadable(
      `Host is not among the first ${MAX_ROUTED_HEADERS} headers, where Kong's router looks for it`,
    );
  }
}

function unreadable(detail: string): PingAuthError {
  return new PingAuthError('request_unreadable', { detail });
}

/** What X-Forwarded-* of a trusted proxy can change. Whom to trust and how to read them, only Kong knows. */
type ForwardedPart = 'scheme' | 'host' | 'port';
type ForwardedAnswers = Partial<Record<ForwardedPart, unknown>>;

const NO_PARTS: readonly ForwardedPart[] = [];
const NO_ANSWERS: ForwardedAnswers = {};

const CHANGED_BY: Readonly<Record<string, readonly ForwardedPart[]>> = {
  'x-forwarded-proto': ['scheme'],
  // Its port counts too when there is no X-Forwarded-Port.
  'x-forwarded-host': ['host', 'port'],
  'x-forwarded-port': ['port'],
};

/** The parts that the request's headers may change; nginx reads `X_Forwarded_Proto` as the same header. */
function forwardedParts(headers: HeaderList): readonly ForwardedPart[] {
  let parts = NO_PARTS;
  for (const [name] of headers.fields) {
    if (!name.startsWith('x')) continue;
    const changed = CHANGED_BY[canonicalName(name)];
    if (changed !== undefined) parts = [...parts, ...changed.filter((part) => !parts.includes(part))];
  }
  return parts;
}

/** Asks Kong; the calls go out in the same turn as those of the caller. */
async function askForwarded(kong: KongPdk, parts: Iterable<ForwardedPart>): Promise<ForwardedAnswers> {
  const answers: ForwardedAnswers = {};
  const calls = Array.from(parts, async (part) => {
    answers[part] = await CALL[part](kong);
  });
  await Promise.all(calls);
  return answers;
}

const CALL: Readonly<Record<ForwardedPart, (kong: KongPdk) => Promise<unknown>>> = {
  scheme: (kong) => kong.request.getForwardedScheme(),
  host: (kong) => kong.request.getForwardedHost(),
  port: (kong) => kong.request.getForwardedPort(),
};
