import { HEADERS_SEEN_AT_MOST } from '../exchange/admission.js';
import type { HeaderList } from '../exchange/header-list.js';
import type { RequestUrl } from '../exchange/http-message.js';
import { checkRequestUrl, checkTargetHost, requestUrlFromKong } from '../exchange/request-url.js';
import { normalisePath } from '../exchange/url-escaping.js';
import { askForwarded, type ForwardedAnswers, type ForwardedPart, forwardedParts } from './forwarded.js';
import { readHeadByCalls } from './head-by-calls.js';
import type { KongPdk } from './kong-pdk.js';
import { headerList, optionalString, requiredInteger, requiredString } from './pdk-values.js';
import type { RequestHead } from './request-head.js';
import { REQUEST_VARIABLE, type RequestVariable, readRequestVariable } from './request-variable.js';

/** A Kong has a handful of listeners. */
const MOST_PORTS = 16;

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
  #expected: ReadonlySet<ForwardedPart> = new Set();

  /** @throws PingAuthError `internal_error`, `request_unreadable` */
  async read(kong: KongPdk): Promise<RequestHead> {
    return (this.#variableIsAbsent ? undefined : await this.#readByVariable(kong)) ?? readHeadByCalls(kong);
  }

  /** undefined when the variable does not tell. */
  async #readByVariable(kong: KongPdk): Promise<RequestHead | undefined> {
    const [text, headerMap, early] = await Promise.all([
      kong.nginx.getVar(REQUEST_VARIABLE),
      kong.request.getHeaders(HEADERS_SEEN_AT_MOST),
      askForwarded(kong, this.#expected),
    ]);
    const reading = readRequestVariable(optionalString(text, `kong.nginx.get_var(${REQUEST_VARIABLE})`));
    if (reading.kind === 'absent') this.#variableIsAbsent = true;
    if (reading.kind !== 'read') return undefined;
    const { variable } = reading;
    const headers = headerList(headerMap, 'kong.request.get_headers');
    checkTargetHost(variable.host, headers);
    const { target, scheme, host, serverPort, query, ...head } = variable;
    return { ...head, headers, url: await this.#url(kong, variable, headers, early) };
  }

  async #url(
    kong: KongPdk,
    { target, scheme, host, serverPort, query }: RequestVariable,
    headers: HeaderList,
    early: ForwardedAnswers,
  ): Promise<RequestUrl> {
    const forwarded = forwardedParts(headers);
    this.#expected = forwarded;
    const missing = new Set([...forwarded].filter((part) => !(part in early)));
    const knownPort = this.#ports.get(serverPort);
    if (knownPort === undefined && !('port' in early)) missing.add('port');
    const path = normalisePath(target);

    // Where the path cannot be told from the target for sure, Kong tells it.
    const [late, kongPath] =
      missing.size > 0 || path === undefined
        ? await Promise.all([
            askForwarded(kong, missing),
            path === undefined ? kong.request.getPath() : undefined,
          ])
        : [{}, undefined];
    const answers = { ...early, ...late };

    const port =
      'port' in answers ? requiredInteger(answers.port, 'kong.request.get_forwarded_port') : knownPort;
    if (port === undefined) throw new Error('the port was not asked for');
    if (!forwarded.has('port') && this.#ports.size < MOST_PORTS) this.#ports.set(serverPort, port);
    const origin = {
      scheme:
        'scheme' in answers
          ? requiredString(answers.scheme, 'kong.request.get_forwarded_scheme').toLowerCase()
          : scheme,
      host: 'host' in answers ? requiredString(answers.host, 'kong.request.get_forwarded_host') : host,
      port,
      query: query === '' ? undefined : query,
    };
    if (path === undefined) {
      return requestUrlFromKong({ ...origin, path: requiredString(kongPath, 'kong.request.get_path') });
    }
    const url = { ...origin, path };
    checkRequestUrl(url);
    return url;
  }
}
