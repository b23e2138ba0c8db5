import type { RequestChanges, ResponseChanges } from '../directives/decision.js';
import { isUnchanged } from '../directives/describe-changes.js';
import type { HttpResponse, ResponseToSend } from '../exchange/http-message.js';
import type { Gateway, LogValues, ReadLimits, RequestReading, ResponseReading } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { readRequest } from './read-request.js';
import { MEMO_KEY, readResponse } from './read-response.js';
import { RequestHeadReader } from './request-head-reader.js';
import { writeRequest } from './write-request.js';
import { exit, filterResponse, withholdResponse } from './write-response.js';

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

  readRequest(limits: ReadLimits): Promise<RequestReading> {
    return readRequest(this.#kong, this.#heads, limits);
  }

  async permit(changes: RequestChanges, memo: string, log?: LogValues): Promise<void> {
    const calls = [...writeRequest(this.#kong, changes), ...this.#writeLog(log)];
    // The memo last: it is the mark that access ended well, so nothing may fail after it.
    await Promise.all([...calls, this.#kong.ctx.shared.set(MEMO_KEY, memo)]);
  }

  async refuse(response: ResponseToSend, log?: LogValues): Promise<void> {
    await Promise.all([...this.#writeLog(log), exit(this.#kong, response)]);
  }

  readResponse(): Promise<ResponseReading> {
    return readResponse(this.#kong);
  }

  async filter(original: HttpResponse, changes: ResponseChanges, log?: LogValues): Promise<void> {
    // An unchanged response costs no second round trip, so it has nothing to say to Kong's log plugins either.
    const said = isUnchanged(changes) ? [] : this.#writeLog(log);
    await Promise.all([...said, filterResponse(this.#kong, original, changes, this.#marksResponse)]);
  }

  async withhold(response: ResponseToSend, log?: LogValues): Promise<void> {
    await Promise.all([...this.#writeLog(log), withholdResponse(this.#kong, response)]);
  }

  #writeLog(log: LogValues | undefined): Promise<unknown>[] {
    return log ? [this.#kong.log.setSerializeValue(log.key, log.values)] : [];
  }
}
