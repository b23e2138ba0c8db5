import { isUnchanged, type RequestChanges, type ResponseChanges } from '../directives/decision.js';
import { isBodiless, MAX_VISIBLE_HEADERS } from '../http/admission.js';
import { headerChanges, isEmpty, isRemoval, LEFT_TO_KONG } from '../http/headers.js';
import type { HttpResponse, OmissionReason, ResponseToSend } from '../http/message.js';
import { toPingAuthError } from './call-errors.js';
import type {
  Gateway,
  LogValues,
  ReadLimits,
  RequestOwner,
  RequestReading,
  ResponseReading,
} from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { bytes, headerList, optionalString, requiredInteger } from './pdk-values.js';
import { readRequestBody } from './request-body.js';
import { NO_OWNER, type RequestHead, RequestHeadReader } from './request-head.js';

/** Key in `kong.ctx.shared`: what the access phase keeps, and the guard's proof that it ran. */
const REQUEST_CONTEXT_KEY = 'ping_auth';
/** Key in `kong.ctx.shared` by which the guard knows that the response phase ended well; only the stock host needs it. */
const RESPONSE_MARK_KEY = 'ping_auth_response';
/** Key in `kong.ctx.shared` by which the guard tells a 500 that was asked for from one that Kong makes of a fault. */
const EXIT_MARK_KEY = 'ping_auth_exit';

const NO_BYTES = new Uint8Array(0);

/** The gateway over kong-pdk's `kong` object. Calls of one step go out together: the round trips are the cost. */
export class KongGateway implements Gateway {
  readonly #kong: KongPdk;
  readonly #marksResponse: boolean;
  readonly #heads: RequestHeadReader;

  /**
   * @param marksResponse whether the response phase leaves its mark for the guard (stock host)
   * @param heads of the plugin instance, which learns what its Kong offers
   */
  constructor(kong: KongPdk, marksResponse: boolean, heads = new RequestHeadReader()) {
    this.#kong = kong;
    this.#marksResponse = marksResponse;
    this.#heads = heads;
  }

  async readRequest(limits: ReadLimits, owner: RequestOwner = NO_OWNER): Promise<RequestReading> {
    try {
      const head = await this.#heads.read(this.#kong, owner);
      if (!mayHaveBody(head)) return reading(head, NO_BYTES, undefined);
      if (!limits.readBody) return reading(head, NO_BYTES, 'disabled');
      const body = await readRequestBody(this.#kong, head.headers, limits, owner.memory);
      return body === undefined ? reading(head, NO_BYTES, 'too_large') : reading(head, body, undefined);
    } catch (thrown) {
      throw toPingAuthError(thrown);
    }
  }

  async permit(changes: RequestChanges, requestContext: string, log?: LogValues): Promise<void> {
    const { request } = this.#kong.service;
    const calls: Promise<unknown>[] = [];
    const { method, path, query, host, headers, body } = changes;
    if (method !== undefined) calls.push(request.setMethod(method));
    if (path !== undefined) calls.push(request.setPath(path));
    if (query !== undefined) calls.push(request.setRawQuery(query));
    // Removed and set headers are one call, since an empty list takes a header away (recorded).
    if (host !== undefined) calls.push(request.setHeaders({ ...headers, host }));
    else if (!isEmpty(headers)) calls.push(request.setHeaders(headers));
    // Content-Length is never touched: set_raw_body sets it, and any other value makes the upstream read a second request
    // out of the body.
    if (body !== undefined) calls.push(request.setRawBody(body));
    this.#writeLog(log, calls);
    // The request context last: it is the mark that access ended well, so nothing may fail after it.
    calls.push(this.#kong.ctx.shared.set(REQUEST_CONTEXT_KEY, requestContext));
    await Promise.all(calls);
  }

  async refuse(response: ResponseToSend, log?: LogValues): Promise<void> {
    const calls: Promise<unknown>[] = [];
    this.#writeLog(log, calls);
    calls.push(this.#exit(response));
    await Promise.all(calls);
  }

  async readResponse(): Promise<ResponseReading> {
    const kong = this.#kong;
    // `kong.service.response.get_headers` is empty in Kong's buffered mode, hence `kong.response`.
    try {
      const [status, headers, body, requestContext] = await Promise.all([
        kong.response.getStatus(),
        kong.response.getHeaders(MAX_VISIBLE_HEADERS),
        kong.service.response.getRawBody(),
        kong.ctx.shared.get(REQUEST_CONTEXT_KEY),
      ]);
      return {
        response: {
          status: requiredInteger(status, 'kong.response.get_status'),
          headers: headerList(headers, 'kong.response.get_headers'),
          body: bytes(body, 'kong.service.response.get_raw_body'),
        },
        requestContext: optionalString(requestContext, 'kong.ctx.shared.get'),
      };
    } catch (thrown) {
      throw toPingAuthError(thrown);
    }
  }

  /**
   * Headers and status are set where they stand; only a new body needs an exit. The mark for the guard is the last call, so
   * that a host which dies before it leaves none; an exit needs no mark, since the guard sees that the answer is not the
   * upstream's.
   */
  async filter(original: HttpResponse, changes: ResponseChanges, log?: LogValues): Promise<void> {
    // An unchanged response costs no second round trip, so it has nothing to say to Kong's log plugins either.
    if (isUnchanged(changes)) {
      if (this.#marksResponse) await this.#kong.ctx.shared.set(RESPONSE_MARK_KEY, '1');
      return;
    }
    const { status, headers, body } = changes;
    const kong = this.#kong;
    const calls: Promise<unknown>[] = [];
    this.#writeLog(log, calls);
    const set = headerChanges();
    for (const name of Object.keys(headers)) {
      const value = headers[name] ?? [];
      if (isRemoval(value)) calls.push(kong.response.clearHeader(name));
      else set[name] = value;
    }
    const newStatus = status ?? original.status;
    // Kong waits without end when a bodiless upstream answer gets a status with a body (recorded: 204 → 200), so that is an exit.
    const statusNeedsExit = status !== undefined && (isBodiless(status) || isBodiless(original.status));
    if (body !== undefined || statusNeedsExit) {
      // Should this process end between the mark and the exit, the guard takes Kong's 500 for ours: then it must not have the
      // upstream's values of what the policy sets.
      if (newStatus === 500) for (const name of Object.keys(set)) calls.push(kong.response.clearHeader(name));
      this.#markExit(newStatus, calls);
      const sent = isBodiless(newStatus) ? NO_BYTES : (body ?? original.body);
      calls.push(kong.response.exit(newStatus, sent, set));
    } else {
      if (status !== undefined) calls.push(kong.response.setStatus(status));
      if (!isEmpty(set)) calls.push(kong.response.setHeaders(set));
      if (this.#marksResponse) calls.push(kong.ctx.shared.set(RESPONSE_MARK_KEY, '1'));
    }
    await Promise.all(calls);
  }

  /**
   * Takes every upstream header off and exits. An exit by itself keeps all upstream headers that it does not name, cookies
   * included, so they are cleared first; as long as Kong shows a full list there may be more behind it.
   *
   * @throws Error when the headers do not come to an end; the caller must then let the event fail, not pass
   */
  async withhold(response: ResponseToSend, log?: LogValues): Promise<void> {
    const { response: kongResponse } = this.#kong;
    for (let round = 0; round < 20; round++) {
      const seen = headerList(
        await kongResponse.getHeaders(MAX_VISIBLE_HEADERS),
        'kong.response.get_headers',
      );
      // The upstream's Date, too: Kong would take it for that of the answer.
      const names = seen.names().filter((name) => name === 'date' || !LEFT_TO_KONG.has(name));
      const calls: Promise<unknown>[] = names.map((name) => kongResponse.clearHeader(name));
      if (seen.size < MAX_VISIBLE_HEADERS) {
        this.#writeLog(log, calls);
        this.#markExit(response.status, calls);
        calls.push(this.#exit(response));
        await Promise.all(calls);
        return;
      }
      await Promise.all(calls);
    }
    throw new Error('the upstream headers could not be cleared');
  }

  /** An explicit body, since over MsgPack an exit without one loses its headers. */
  #exit({ status, headers, body }: ResponseToSend): Promise<unknown> {
    const sent = isBodiless(status) ? NO_BYTES : body;
    return this.#kong.response.exit(status, sent, headers.toRecord());
  }

  #markExit(status: number, calls: Promise<unknown>[]): void {
    if (status === 500) calls.push(this.#kong.ctx.shared.set(EXIT_MARK_KEY, '1'));
  }

  #writeLog(log: LogValues | undefined, calls: Promise<unknown>[]): void {
    if (log === undefined) return;
    calls.push(this.#kong.log.setSerializeValue(log.key, log.values));
    if (log.line !== undefined) calls.push(this.#kong.log[log.line.level](log.line.text));
  }
}

function reading(
  head: RequestHead,
  body: Uint8Array,
  unreadBody: OmissionReason | undefined,
): RequestReading {
  const { method, url, httpVersion, headers, sourceIp, sourcePort, clientCertificatePem } = head;
  return {
    request: { method, url, httpVersion, headers, body, sourceIp, sourcePort, clientCertificatePem },
    unreadBody,
  };
}

/** HTTP/2 needs neither Content-Length nor Transfer-Encoding to have a body. */
function mayHaveBody({ headers, httpVersion }: RequestHead): boolean {
  if (headers.has('transfer-encoding')) return true;
  const length = headers.get('content-length');
  return length === undefined ? Number(httpVersion) >= 2 : length !== '0';
}
