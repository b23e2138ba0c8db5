import type { IncomingHttpHeaders } from 'node:http';
import { Client, type Dispatcher, type Pool } from 'undici';
import type { Patience } from './patience.js';

/** The body of an error answer is only read for its `id` and `message`. */
const MAX_ERROR_BODY_BYTES = 65_536;

/** What came of one HTTP exchange. Nothing is judged here. */
export type ExchangeOutcome =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** undefined: cut, late or too long; happens only with a status other than 200, which is an error anyway. */
      readonly body: Buffer | undefined;
    }
  | { readonly kind: 'too_large' }
  | { readonly kind: 'interrupted'; readonly bytesArrived: boolean }
  | {
      readonly kind: 'failed';
      readonly error: unknown;
      /** Whether any byte of an answer arrived: then nobody else may be asked. */
      readonly bytesArrived: boolean;
      /** Whether its whole head did. */
      readonly headArrived: boolean;
      /** Whether the request was written to a connection at all. */
      readonly sent: boolean;
      /** Whether that connection had carried an answer before, so that it may just have grown stale. */
      readonly reused: boolean;
    };

export interface ExchangeRequest {
  readonly path: string;
  /** Names and values by turns. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

interface CarriedOptions extends Dispatcher.DispatchOptions {
  readonly carriedBy: (client: ReusedClient) => void;
}

/** undici's client of one connection, which counts the answers that its present connection has carried. */
export class ReusedClient extends Client {
  answers = 0;

  constructor(origin: string | URL, options: Client.Options) {
    super(origin, options);
    this.on('connect', () => {
      this.answers = 0;
    });
  }

  override dispatch(
    options: Partial<CarriedOptions> & Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
  ): boolean {
    options.carriedBy?.(this);
    return super.dispatch(options, handler);
  }
}

/** Posts to the provider and collects the answer, at most `maxBodyBytes` of it. Never rejects. */
export function exchange(
  pool: Pool,
  request: ExchangeRequest,
  maxBodyBytes: number,
  patience: Patience,
): Promise<ExchangeOutcome> {
  // It may have ended while the call was handed from step to step, when nobody listened.
  if (patience.ended !== undefined) return Promise.resolve({ kind: 'interrupted', bytesArrived: false });
  return new Promise((resolve) => {
    const collector = new AnswerCollector(maxBodyBytes, (outcome) => {
      patience.listen(undefined);
      resolve(outcome);
    });
    patience.listen(() => collector.interrupt());
    const options: CarriedOptions = {
      path: request.path,
      method: 'POST',
      headers: request.headers as string[],
      body: request.body,
      // One deadline rules the whole call; undici's own timers would only add a second, coarser one.
      headersTimeout: 0,
      bodyTimeout: 0,
      carriedBy: (client) => collector.carriedBy(client),
    };
    pool.dispatch(options, collector);
  });
}

class AnswerCollector implements Dispatcher.DispatchHandler {
  readonly #maxBodyBytes: number;
  readonly #settle: (outcome: ExchangeOutcome) => void;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  #client: ReusedClient | undefined;
  #bytesArrived = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(maxBodyBytes: number, settle: (outcome: ExchangeOutcome) => void) {
    this.#maxBodyBytes = maxBodyBytes;
    this.#settle = settle;
  }

  carriedBy(client: ReusedClient): void {
    this.#client = client;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while undici was still connecting: nothing must be sent any more.
    if (this.#settled) controller.abort(new Error('given up'));
    else this.#controller = controller;
  }

  onResponseStarted(): void {
    this.#bytesArrived = true;
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: IncomingHttpHeaders): void {
    // Informational (103 and the like): the answer itself is still to come.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
    if (Number(headers['content-length'] ?? 0) > this.#limit) this.#tooLarge();
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settled) return;
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#tooLarge();
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#client) this.#client.answers++;
    this.#answered(
      this.#chunks.length === 1 && this.#chunks[0] ? this.#chunks[0] : Buffer.concat(this.#chunks),
    );
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    // Does nothing if the line above ended it.
    this.#end({
      kind: 'failed',
      error,
      bytesArrived: this.#bytesArrived,
      headArrived: this.#status !== 0,
      sent: this.#controller !== undefined,
      reused: (this.#client?.answers ?? 0) > 0,
    });
  }

  /** The deadline passed or the client went away. A status that is already known is still an answer. */
  interrupt(): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    else this.#end({ kind: 'interrupted', bytesArrived: this.#bytesArrived });
    this.#controller?.abort(new Error('given up'));
  }

  get #limit(): number {
    return this.#status === 200 ? this.#maxBodyBytes : MAX_ERROR_BODY_BYTES;
  }

  get #isErrorStatus(): boolean {
    return this.#status !== 0 && this.#status !== 200;
  }

  #tooLarge(): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    else this.#end({ kind: 'too_large' });
    this.#controller?.abort(new Error('answer too large'));
  }

  #answered(body: Buffer | undefined): void {
    this.#end({ kind: 'answered', status: this.#status, headers: this.#headers, body });
  }

  #end(outcome: ExchangeOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#chunks = [];
    this.#settle(outcome);
  }
}
