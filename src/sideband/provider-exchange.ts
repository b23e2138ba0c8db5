import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import { LARGE_BYTES } from '../http/text.js';
import type { CallDeadline } from './call-deadline.js';
import type { Connection, ConnectionPool } from './connection-pool.js';
import { type Payload, payloadBytes } from './payloads.js';
import {
  type BrokenExchange,
  failed,
  failure,
  type ProviderFailure,
  waitedTooLong,
} from './provider-failure.js';

/** The body of an error answer is only read for its `id` and `message`. */
const MAX_ERROR_BODY_BYTES = 65_536;

/** One call, as it goes to each provider that is tried. */
export interface ProviderRequest {
  /** Names and values by turns. */
  readonly headers: readonly string[];
  readonly body: Payload;
  /** The largest answer that is accepted, bytes. */
  readonly maxAnswerBytes: number;
  readonly deadline: CallDeadline;
  /** The answer's bytes are reserved here before they are kept. */
  readonly memory: MemoryReservation | undefined;
}

export interface ProviderAnswer {
  readonly kind: 'answered';
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** undefined: cut, late or too long; happens only with a status other than 200, which is an error anyway. */
  readonly body: Buffer | undefined;
}

/** Calls one provider: waits for a connection, sends, reads the answer; once more if a kept connection had been closed. */
export async function callProvider(
  pool: ConnectionPool,
  path: string,
  request: ProviderRequest,
  onStale: () => void,
): Promise<ProviderAnswer | ProviderFailure> {
  const { deadline } = request;
  const place = pool.acquire(deadline);
  const acquired = place instanceof Promise ? await place : place;
  if (acquired === 'full') return failed('provider_queue_full', 'the queue is full');
  if (acquired === 'client_gone') return failed('client_gone');
  if (acquired === 'deadline') return waitedTooLong();
  let connection = acquired;
  try {
    const first = await new Exchange(path, request, connection).outcome();
    if (first.kind === 'answered') return first;
    connection = pool.replace(connection);
    if (first.kind !== 'broken' || !first.isStale || deadline.ended !== undefined) {
      return failure(first, request, false);
    }
    onStale();
    const second = await new Exchange(path, request, connection).outcome();
    if (second.kind === 'answered') return second;
    connection = pool.replace(connection);
    return failure(second, request, true);
  } finally {
    pool.release(connection);
  }
}

/**
 * A large body as a stream: it is written, and encrypted, as fast as the connection takes it. Without waiting for a turn among
 * other large messages, since the deadline runs: what clients send must not make calls fail for want of time.
 */
function streamed(headers: readonly string[], body: Payload) {
  if (typeof body === 'string') return { headers: headers as string[], body };
  const length = ['Content-Length', String(payloadBytes(body))];
  return { headers: [...headers, ...length], body: Readable.from(chunks(body)) };
}

function* chunks(pieces: readonly Buffer[]) {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += LARGE_BYTES) yield piece.subarray(at, at + LARGE_BYTES);
  }
}

/** One POST to the provider; collects the answer, at most `maxAnswerBytes` of it. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #path: string;
  readonly #request: ProviderRequest;
  readonly #connection: Connection;
  #settle: ((outcome: ProviderAnswer | BrokenExchange) => void) | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #bytesArrived = false;
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  /** The answer's first piece, most often its only one. */
  #first: Buffer | undefined;
  #rest: Buffer[] | undefined;
  /** A large answer of known length, gathered in one place: joined at its end, 30 MiB would take 30 ms in one step. */
  #whole: Buffer | undefined;
  #size = 0;

  constructor(path: string, request: ProviderRequest, connection: Connection) {
    this.#path = path;
    this.#request = request;
    this.#connection = connection;
  }

  /** Never rejects. */
  outcome(): Promise<ProviderAnswer | BrokenExchange> {
    const { deadline, headers, body } = this.#request;
    // It may have ended between two steps of the call, without a listener.
    if (deadline.ended !== undefined) {
      return Promise.resolve({ kind: 'interrupted', sent: false, bytesArrived: false });
    }
    return new Promise((resolve) => {
      this.#settle = resolve;
      deadline.listen(() => this.#interrupt());
      const options: Dispatcher.DispatchOptions = {
        path: this.#path,
        method: 'POST',
        ...streamed(headers, body),
        // One deadline rules the whole call; undici's own timers would only add a second, coarser one.
        headersTimeout: 0,
        bodyTimeout: 0,
      };
      this.#connection.send(options, this);
    });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Given up while undici was still connecting: nothing must be sent any more.
    if (this.#settle === undefined) controller.abort(new Error('given up'));
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
    const length = Number(headers['content-length'] ?? 0);
    if (length > this.#limit) this.#tooLarge();
    // It takes no memory before the bytes arrive.
    else if (length > LARGE_BYTES) this.#whole = Buffer.allocUnsafeSlow(length);
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#settle === undefined) return;
    this.#size += chunk.length;
    if (this.#size > this.#limit) this.#tooLarge();
    else if (this.#isReserved(chunk.length)) {
      if (this.#whole !== undefined) chunk.copy(this.#whole, this.#size - chunk.length);
      else if (this.#first === undefined) this.#first = chunk;
      else if (this.#rest === undefined) this.#rest = [this.#first, chunk];
      else this.#rest.push(chunk);
    }
  }

  onResponseEnd(): void {
    this.#connection.answers++;
    if (this.#whole !== undefined) this.#answered(this.#whole.subarray(0, this.#size));
    else if (this.#rest === undefined) this.#answered(this.#first ?? Buffer.alloc(0));
    else if (this.#isReserved(this.#size)) {
      const body = Buffer.concat(this.#rest);
      this.#request.memory?.shrink(this.#size);
      this.#answered(body);
    }
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    if (this.#isErrorStatus) this.#answered(undefined);
    const sent = this.#controller !== undefined;
    const bytesArrived = this.#bytesArrived;
    const isStale = sent && !bytesArrived && this.#connection.answers > 0;
    this.#end({ kind: 'broken', error, sent, bytesArrived, headArrived: this.#status !== 0, isStale });
  }

  /** The deadline passed or the client went away. A status that is already known is still an answer. */
  #interrupt(): void {
    const sent = this.#controller !== undefined;
    if (this.#isErrorStatus) this.#answered(undefined);
    else this.#end({ kind: 'interrupted', sent, bytesArrived: this.#bytesArrived });
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
    else this.#end({ kind: 'refused', error: new PingAuthError('provider_answer_too_large') });
    this.#controller?.abort(new Error('answer too large'));
  }

  #isReserved(bytes: number): boolean {
    try {
      this.#request.memory?.grow(bytes);
      return true;
    } catch (error) {
      this.#end({ kind: 'refused', error: asPingAuthError(error) });
      this.#controller?.abort(new Error('no memory'));
      return false;
    }
  }

  #answered(body: Buffer | undefined): void {
    this.#end({ kind: 'answered', status: this.#status, headers: this.#headers, body });
  }

  /** Does nothing when the exchange has already ended. */
  #end(outcome: ProviderAnswer | BrokenExchange): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    this.#settle = undefined;
    this.#first = undefined;
    this.#rest = undefined;
    this.#whole = undefined;
    this.#request.deadline.listen(undefined);
    settle(outcome);
  }
}
