import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher, Pool } from 'undici';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import type { CallDeadline, Interruption } from './concurrency-limiter.js';
import { networkProblem } from './network-error.js';
import type { CarriedOptions, ProviderConnections, ReusedClient } from './provider-connections.js';

/** The body of an error answer is only read for its `id` and `message`. */
const MAX_ERROR_BODY_BYTES = 65_536;

/**
 * Above this size a connection lost in the middle is taken for the provider's way to refuse a large message. Servers
 * close over their limit, and then their 413 is often lost. As a failure of the provider it could make the plugin fail
 * open, and a client could bring that about with a large body.
 */
const LARGE_MESSAGE_BYTES = 65_536;

/** Of smaller answers there are thousands, and there is memory for all of them. */
const SMALL_ANSWER_BYTES = 65_536;

/** One call as it goes to whichever provider is asked. */
export interface ProviderRequest {
  /** Names and values by turns. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** The largest answer that is taken, bytes. */
  readonly maxAnswerBytes: number;
  readonly callDeadline: CallDeadline;
  /** Told how large an answer has become that is no small one. @throws PingAuthError when that is too much memory */
  holdAnswer(bytes: number): void;
}

/** What one provider made of one call. */
export type AttemptResult =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly headers: IncomingHttpHeaders;
      /** undefined: cut, late or too long; happens only with a status other than 200, which is an error anyway. */
      readonly body: Buffer | undefined;
    }
  | {
      readonly kind: 'failed';
      readonly error: PingAuthError;
      /** Nothing of an answer came, so another provider may be asked. */
      readonly elsewhere: boolean;
      /** The provider is to blame, not the client, the queue or our own trust settings: counts for the circuit. */
      readonly providerFailed: boolean;
      /** It could not be reached or never answered: others come first for a while. */
      readonly avoid: boolean;
    };

/** Asks one provider: waits for a connection, sends, reads the answer; once more if a kept connection had grown stale. */
export async function attempt(
  connections: ProviderConnections,
  path: string,
  request: ProviderRequest,
  onStale: () => void,
): Promise<AttemptResult> {
  const { callDeadline } = request;
  const slot = connections.limiter.take(callDeadline);
  let hadItsTime = () => true;
  if (slot !== 'taken') {
    const arrived = performance.now();
    const taken = await slot;
    if (taken === 'full')
      return notSent(new PingAuthError('provider_queue_full', { detail: 'the queue is full' }));
    if (taken === 'client_gone') return notSent(new PingAuthError('client_gone'));
    if (taken === 'deadline') return waitedTooLong();
    const started = performance.now();
    // Clients that fill the queue leave the calls in it little time: then it is not the provider that was too slow.
    hadItsTime = () => performance.now() - started >= started - arrived;
  }
  try {
    const pool = connections.pool;
    const first = await exchange(pool, path, request);
    if (first.kind === 'answered') return first;
    if (!isStale(first) || callDeadline.ended !== undefined) {
      return judged(first, request, callDeadline.ended, hadItsTime());
    }
    onStale();
    // All connections of that age may be dead; the second try must not get another of them.
    connections.renew(pool);
    return judged(await exchange(connections.pool, path, request), request, callDeadline.ended, hadItsTime());
  } finally {
    connections.limiter.release();
  }
}

/** What came of one HTTP exchange. Nothing is judged here. */
type ExchangeOutcome =
  | (AttemptResult & { readonly kind: 'answered' })
  | { readonly kind: 'too_large' }
  | { readonly kind: 'no_memory'; readonly error: unknown }
  | { readonly kind: 'interrupted'; readonly bytesArrived: boolean }
  | {
      readonly kind: 'broken';
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

/** A kept connection that the provider closed just when we wrote to it: nothing came, and nothing was wrong with the call. */
function isStale(outcome: ExchangeOutcome): boolean {
  return outcome.kind === 'broken' && outcome.sent && outcome.reused && !outcome.bytesArrived;
}

function judged(
  outcome: ExchangeOutcome,
  request: ProviderRequest,
  ended: Interruption | undefined,
  hadItsTime: boolean,
): AttemptResult {
  switch (outcome.kind) {
    case 'answered':
      return outcome;
    case 'too_large':
      return notSent(new PingAuthError('provider_answer_too_large'));
    case 'no_memory':
      return notSent(asPingAuthError(outcome.error));
    case 'interrupted': {
      if (ended === 'client_gone') return notSent(new PingAuthError('client_gone'));
      if (!hadItsTime) return waitedTooLong();
      const error = new PingAuthError('provider_timeout', {
        detail: outcome.bytesArrived ? 'the answer did not end in time' : 'no answer came in time',
      });
      return { kind: 'failed', error, elsewhere: false, providerFailed: true, avoid: !outcome.bytesArrived };
    }
    case 'broken': {
      const problem = networkProblem(outcome.error, outcome);
      const cut =
        problem.code === 'provider_unreachable' && outcome.sent && request.body.length > LARGE_MESSAGE_BYTES;
      const code = cut ? 'provider_upload_cut' : problem.code;
      return {
        kind: 'failed',
        error: new PingAuthError(code, { detail: problem.detail, cause: outcome.error }),
        elsewhere: !outcome.bytesArrived,
        // Not a certificate: an open circuit can fail open, and a wrong certificate never may.
        providerFailed: code === 'provider_unreachable' || code === 'provider_timeout',
        avoid: !outcome.bytesArrived && !cut,
      };
    }
  }
}

/** Not provider_timeout: clients fill the queue, and a client must never be able to cause a fail-open. */
function waitedTooLong(): AttemptResult {
  const detail =
    'the deadline passed while waiting for a connection; raise connections if the provider can take it';
  return notSent(new PingAuthError('provider_queue_full', { detail }));
}

function notSent(error: PingAuthError): AttemptResult {
  return { kind: 'failed', error, elsewhere: false, providerFailed: false, avoid: false };
}

/** Posts to the provider and collects the answer, at most `maxAnswerBytes` of it. Never rejects. */
function exchange(pool: Pool, path: string, request: ProviderRequest): Promise<ExchangeOutcome> {
  // It may have ended while the call was handed from step to step, when nobody listened.
  if (request.callDeadline.ended !== undefined)
    return Promise.resolve({ kind: 'interrupted', bytesArrived: false });
  return new Promise((resolve) => {
    const handler = new ExchangeHandler(request, resolve);
    const options: CarriedOptions = {
      path,
      method: 'POST',
      headers: request.headers as string[],
      body: request.body,
      // One deadline rules the whole call; undici's own timers would only add a second, coarser one.
      headersTimeout: 0,
      bodyTimeout: 0,
      exchange: handler,
    };
    pool.dispatch(options, handler);
  });
}

class ExchangeHandler implements Dispatcher.DispatchHandler {
  readonly #request: ProviderRequest;
  readonly #resolve: (outcome: ExchangeOutcome) => void;
  #settled = false;
  #controller: Dispatcher.DispatchController | undefined;
  #client: ReusedClient | undefined;
  #bytesArrived = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The answer's first piece, most often its only one. */
  #first: Buffer | undefined;
  #rest: Buffer[] | undefined;
  #size = 0;

  constructor(request: ProviderRequest, resolve: (outcome: ExchangeOutcome) => void) {
    this.#request = request;
    this.#resolve = resolve;
    request.callDeadline.listen(() => this.#interrupt());
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
    else if (this.#size > SMALL_ANSWER_BYTES && !this.#isHeld())
      this.#controller?.abort(new Error('no memory'));
    else if (this.#first === undefined) this.#first = chunk;
    else if (this.#rest === undefined) this.#rest = [this.#first, chunk];
    else this.#rest.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#client) this.#client.answers++;
    this.#answered(this.#rest === undefined ? (this.#first ?? Buffer.alloc(0)) : Buffer.concat(this.#rest));
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    // Does nothing if the line above ended it.
    this.#end({
      kind: 'broken',
      error,
      bytesArrived: this.#bytesArrived,
      headArrived: this.#status !== 0,
      sent: this.#controller !== undefined,
      reused: (this.#client?.answers ?? 0) > 0,
    });
  }

  /** The deadline passed or the client went away. A status that is already known is still an answer. */
  #interrupt(): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    else this.#end({ kind: 'interrupted', bytesArrived: this.#bytesArrived });
    this.#controller?.abort(new Error('given up'));
  }

  get #limit(): number {
    return this.#status === 200 ? this.#request.maxAnswerBytes : MAX_ERROR_BODY_BYTES;
  }

  get #isErrorStatus(): boolean {
    return this.#status !== 0 && this.#status !== 200;
  }

  #tooLarge(): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    else this.#end({ kind: 'too_large' });
    this.#controller?.abort(new Error('answer too large'));
  }

  #isHeld(): boolean {
    try {
      this.#request.holdAnswer(this.#size);
      return true;
    } catch (error) {
      this.#end({ kind: 'no_memory', error });
      return false;
    }
  }

  #answered(body: Buffer | undefined): void {
    this.#end({ kind: 'answered', status: this.#status, headers: this.#headers, body });
  }

  #end(outcome: ExchangeOutcome): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#first = undefined;
    this.#rest = undefined;
    this.#request.callDeadline.listen(undefined);
    this.#resolve(outcome);
  }
}
