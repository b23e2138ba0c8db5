import type { RpcPipe } from 'kong-pdk/pdk.js';
import { readBodyFile, tooLarge } from './body-file.js';
import type { BodyLimits } from './options.js';
import { nothing, type RawBody } from './pdk-messages.js';
import { callFrames, EXIT_METHOD, type PdkMethod, pdkMethod, RAW_BODY_METHOD } from './pdk-methods.js';
import { EventOverError, PdkCallError } from './plugin-module.js';

type Result = readonly [unknown, unknown?];

interface PendingCall {
  readonly method: PdkMethod;
  readonly args: readonly unknown[];
  /** Without effect when nobody asked for the result, or when there is one already. */
  resolve: (result: Result) => void;
  reject: (error: Error) => void;
}

const NOTHING: Result = [undefined];

/**
 * The pipe under kong-pdk's `kong` object for one event: calls go out in the order in which they were made, Kong's replies
 * come back in that order. `send` is expected to collect what one turn of the event loop brings.
 */
export class PdkPipe implements RpcPipe {
  readonly #send: (pieces: readonly Uint8Array[]) => void;
  readonly #limits: BodyLimits;
  readonly #pending: PendingCall[] = [];
  #firstPending = 0;
  #last: PendingCall | undefined;
  #state: 'open' | 'exited' | 'over' = 'open';
  #sealed = false;

  constructor(send: (pieces: readonly Uint8Array[]) => void, limits: BodyLimits) {
    this.#send = send;
    this.#limits = limits;
  }

  /** An exit was sent: nothing may follow, not even the end of the event. Kong closes the connection. */
  get exited(): boolean {
    return this.#state === 'exited';
  }

  /** The phase returned and asked for no exit. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** How many replies Kong still owes. */
  get owed(): number {
    return this.#pending.length - this.#firstPending;
  }

  /**
   * Sends a call.
   *
   * @throws EventOverError after the end, PdkCallError when Kong has no such method or the arguments do not fit.
   */
  put(call: { readonly Method: string; readonly Args: readonly unknown[] }): void {
    if (this.#state !== 'open' || this.#sealed)
      throw new EventOverError(`${call.Method} was called after the event was over`);
    const method = pdkMethod(call.Method);
    if (method === undefined) {
      throw new PdkCallError('ERR_PDK_METHOD', `Kong offers no ${call.Method} to external plugins`);
    }
    this.#send(framesOf(method, call.Args));
    if (call.Method === EXIT_METHOD) {
      this.#state = 'exited';
      return;
    }
    this.#last = { method, args: call.Args, resolve: ignore, reject: ignore };
    this.#pending.push(this.#last);
  }

  /**
   * The result of the call just put: kong-pdk asks for it in the same breath. A call that brings nothing back is done as
   * soon as it is sent: Kong carries calls out in their order, and has no way to say that one failed but to end the whole
   * request with a 500. So an event can end without waiting for the replies to its last writes.
   */
  get(): Promise<Result> {
    const call = this.#last;
    if (call === undefined || call.method.readReply === nothing) return Promise.resolve(NOTHING);
    return new Promise((resolve, reject) => {
      call.resolve = resolve;
      call.reject = reject;
    });
  }

  /** Hands Kong's reply to the oldest call without one. */
  onReply(payload: Buffer): void {
    const call = this.#shift();
    if (call === undefined || this.#state === 'over') return;
    let value: unknown;
    try {
      value = call.method.readReply(payload);
    } catch (cause) {
      call.reject(
        new PdkCallError('ERR_PDK_REPLY', `Kong's reply to ${call.method.name} is unreadable`, { cause }),
      );
      return;
    }
    if (call.method.name === RAW_BODY_METHOD) this.#resolveBody(call, value as RawBody);
    else call.resolve([value]);
  }

  /** Kong's reply to the oldest call is too large to be taken in. */
  onOversizeReply(announced: number): void {
    const call = this.#shift();
    call?.reject(
      new PdkCallError('ERR_REPLY_TOO_LARGE', `Kong's reply to ${call.method.name} has ${announced} bytes`),
    );
  }

  /** Nothing goes out any more and no reply comes to the plugin; replies that Kong owes are still taken in and dropped. */
  end(reason: string): void {
    if (this.#state === 'open') this.#state = 'over';
    for (const call of this.#pending.slice(this.#firstPending)) {
      call.reject(new EventOverError(`no reply to ${call.method.name}: ${reason}`));
    }
  }

  /** The phase is over and asked for no exit: replies still reach those who wait for them, but no call goes out. */
  seal(): void {
    this.#sealed = true;
  }

  #shift(): PendingCall | undefined {
    const call = this.#pending[this.#firstPending];
    if (call === undefined) return undefined;
    this.#firstPending++;
    if (this.#firstPending === this.#pending.length) {
      this.#pending.length = 0;
      this.#firstPending = 0;
    }
    return call;
  }

  #resolveBody(call: PendingCall, body: RawBody): void {
    const asked = Number(call.args[0] ?? 0);
    const maxBytes = asked > 0 ? asked : this.#limits.maxBodyBytes;
    if ('error' in body) call.resolve([undefined, body.error]);
    else if ('file' in body) {
      readBodyFile(body.file, maxBytes, this.#limits.bodyDirs).then(
        (content) => call.resolve([content]),
        call.reject,
      );
    } else if (body.content.length > maxBytes) call.reject(tooLarge(body.content.length, maxBytes));
    else call.resolve([body.content]);
  }
}

function ignore(): void {}

function framesOf(method: PdkMethod, args: readonly unknown[]): Uint8Array[] {
  try {
    return callFrames(method, args);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PdkCallError('ERR_PDK_ARGUMENTS', `${method.name}: ${reason}`, { cause });
  }
}
