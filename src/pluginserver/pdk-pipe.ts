import { readBodyFile, tooLarge } from './body-file.js';
import type { FrameWriter } from './frames.js';
import type { PdkCalls, PdkMethod } from './kong-object.js';
import { nothing, type RawBody } from './messages.js';
import type { BodyLimits } from './options.js';
import { EventOverError, PdkCallError } from './plugin-module.js';
import type { WireReader } from './wire-reader.js';
import { type PieceSink, WireWriter } from './wire-writer.js';

const RAW_BODY_METHOD = 'kong.request.get_raw_body';
const EXIT_METHOD = 'kong.response.exit';

/** Told about the calls of an event for which Kong has to wait for the client. */
export interface UploadObserver {
  /** Kong was asked for the body of the request; it replies when the body is complete. */
  uploadBegins(): void;
  /** Kong has replied, or its reply no longer matters. */
  uploadEnds(): void;
}

interface PendingCall {
  readonly method: PdkMethod;
  readonly args: readonly unknown[];
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** In the place of a call whose reply nobody waits for. */
const NOBODY = undefined;
const DONE = Promise.resolve(undefined);

/**
 * The calls of one event: they go out in the order in which they were made, Kong's replies come back in that order. Each
 * event has a pipe of its own, and what its `kong` object sends goes through this one or nowhere.
 */
export class PdkPipe implements PdkCalls {
  readonly #out: FrameWriter;
  readonly #limits: BodyLimits;
  readonly #uploads: UploadObserver;
  #pending: (PendingCall | typeof NOBODY)[] = [];
  #firstPending = 0;
  #state: 'open' | 'closed' | 'exited' | 'over' = 'open';

  constructor(out: FrameWriter, limits: BodyLimits, uploads: UploadObserver) {
    this.#out = out;
    this.#limits = limits;
    this.#uploads = uploads;
  }

  /** An exit was sent: nothing may follow, not even the end of the event. Kong closes the connection. */
  get exited(): boolean {
    return this.#state === 'exited';
  }

  /** The phase returned and asked for no exit. */
  get closed(): boolean {
    return this.#state === 'closed';
  }

  /** How many replies Kong still owes. */
  get pendingReplies(): number {
    return this.#pending.length - this.#firstPending;
  }

  /**
   * How a large reply that is due next is treated. One that nobody waits for is not kept at all. The headers are always taken
   * in: without their names nobody could take the upstream's off an error response, and Kong bounds them.
   */
  get nextReply(): 'required' | 'optional' | 'unwanted' {
    const call = this.#pending[this.#firstPending];
    if (call === NOBODY) return 'unwanted';
    return call.method.name.endsWith('.get_headers') ? 'required' : 'optional';
  }

  /**
   * A call of the plugin's. One that brings nothing back is done as soon as it is sent: Kong carries calls out in their
   * order, and has no way to say that one failed but to end the whole request with a 500. So an event can end without
   * waiting for the replies to its last writes.
   *
   * @throws (by rejecting) EventOverError after the end, PdkCallError when the arguments do not fit or the reply is no good.
   */
  call(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    if (this.#state !== 'open')
      return Promise.reject(new EventOverError(`${method.name} was called after the event was over`));
    return this.#send(method, args);
  }

  /** A call of the server's own, for an event that the plugin does not end. */
  ownCall(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    return this.#send(method, args);
  }

  #send(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    try {
      sendCall(method, args, this.#out);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return Promise.reject(new PdkCallError('ERR_PDK_ARGUMENTS', `${method.name}: ${reason}`, { cause }));
    }
    if (method.name === EXIT_METHOD) {
      if (this.#state === 'open') this.#state = 'exited';
      this.#out.flush();
      return DONE;
    }
    this.#out.flushSoon();
    if (method.readReply === nothing) {
      this.#pending.push(NOBODY);
      return DONE;
    }
    if (method.name === RAW_BODY_METHOD) this.#uploads.uploadBegins();
    return new Promise((resolve, reject) => {
      this.#pending.push({ method, args, resolve, reject });
    });
  }

  /** Hands Kong's reply to the oldest call without one. */
  onReply(reply: WireReader): void {
    const call = this.#shift();
    if (call === NOBODY) return;
    const { method } = call;
    try {
      const value = method.readReply(reply);
      if (method.name === RAW_BODY_METHOD) this.#resolveBody(call, value as RawBody);
      else call.resolve(value);
    } catch (cause) {
      const message = `Kong's reply to ${method.name} is unreadable`;
      call.reject(new PdkCallError('ERR_PDK_REPLY', message, { cause }));
    }
  }

  /** Kong's reply to the oldest call is too large to be taken in, or too large for the memory of this moment. */
  onOversizeReply(announced: number, noMemory: boolean): void {
    const call = this.#shift();
    const message = `Kong's reply to ${call?.method.name} has ${announced} bytes`;
    call?.reject(new PdkCallError(noMemory ? 'ERR_NO_MEMORY' : 'ERR_REPLY_TOO_LARGE', message));
  }

  /** The plugin waits for the request body no longer. Kong's reply, whenever it comes, is dropped. */
  giveUpUpload(): void {
    for (let i = this.#firstPending; i < this.#pending.length; i++) {
      const call = this.#pending[i];
      if (call?.method.name !== RAW_BODY_METHOD) continue;
      this.#drop(
        i,
        new PdkCallError('ERR_TOO_MANY_UPLOADS', 'too many requests wait for their bodies to arrive'),
      );
    }
  }

  /** No call goes out any more and no reply comes to the plugin; replies that Kong owes are still taken in and dropped. */
  end(reason: string): void {
    if (this.#state !== 'exited') this.#state = 'over';
    for (let i = this.#firstPending; i < this.#pending.length; i++) {
      this.#drop(i, new EventOverError(`no reply to ${this.#pending[i]?.method.name}: ${reason}`));
    }
  }

  /** The phase is over and asked for no exit: replies still reach those who wait for them, but no call goes out. */
  close(): void {
    this.#state = 'closed';
  }

  #drop(index: number, error: Error): void {
    const call = this.#pending[index];
    if (call === NOBODY) return;
    this.#pending[index] = NOBODY;
    if (call.method.name === RAW_BODY_METHOD) this.#uploads.uploadEnds();
    call.reject(error);
  }

  #shift(): PendingCall | typeof NOBODY {
    const call = this.#pending[this.#firstPending++];
    if (call?.method.name === RAW_BODY_METHOD) this.#uploads.uploadEnds();
    if (this.#firstPending === this.#pending.length) {
      this.#pending = [];
      this.#firstPending = 0;
    }
    return call;
  }

  #resolveBody(call: PendingCall, body: RawBody): void {
    const asked = Number(call.args[0] ?? 0);
    const maxBytes = asked > 0 ? asked : this.#limits.maxBodyBytes;
    if ('error' in body)
      call.reject(new PdkCallError('ERR_BODY_FILE', `Kong cannot read the request body: ${body.error}`));
    else if ('file' in body)
      readBodyFile(body.file, maxBytes, this.#limits.bodyDirs, this.#limits.memory).then(
        call.resolve,
        call.reject,
      );
    else if (body.content.length > maxBytes) call.reject(tooLarge(body.content.length, maxBytes));
    else call.resolve(body.content);
  }
}

const MAX_KEPT_FRAMES = 32;
const MAX_KEPT_BYTES = 256;
let spareWriter: WireWriter | undefined;

/**
 * Sends the two frames of a call: the method's name, then its message.
 *
 * @throws TypeError when the arguments do not fit the method; nothing is sent then.
 */
function sendCall(method: PdkMethod, args: readonly unknown[], out: PieceSink): void {
  const kept = args.length < 2 ? method.frames.get(args[0]) : undefined;
  if (kept !== undefined) {
    out.add(kept);
    return;
  }
  // An object among the arguments may run code of the plugin's while it is read, and that may make a call of its own.
  const writer = spareWriter ?? new WireWriter();
  spareWriter = undefined;
  try {
    method.writeArguments(writer, args);
    writer.closeFrame(0);
    const before = writer.length;
    writer.text(method.name);
    writer.closeFrame(before);
    if (mayKeep(method, args) && writer.length <= MAX_KEPT_BYTES) {
      method.frames.set(args[0], Buffer.concat(writer.finish()));
    }
    writer.sendTo(out);
  } finally {
    writer.clear();
    spareWriter = writer;
  }
}

/** Only of calls that read: what they ask for is of the plugin's choosing, what others write is of one request. */
function mayKeep({ readReply, frames }: PdkMethod, args: readonly unknown[]): boolean {
  if (readReply === nothing || frames.size >= MAX_KEPT_FRAMES) return false;
  const [only] = args;
  return args.length < 2 && (only === undefined || typeof only === 'string' || typeof only === 'number');
}
