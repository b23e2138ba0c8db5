import { bodyOf } from './body-file.js';
import type { WriteBuffer } from './frames.js';
import { notOffered, type PdkMethod, pdkMethod, pdkMethods, type RawBody } from './messages.js';
import type { BodyLimits } from './options.js';
import { EventOverError, PdkCallError } from './plugin-module.js';
import type { WireReader } from './wire-reader.js';
import { type PieceSink, WireWriter } from './wire-writer.js';

const RAW_BODY = pdkMethod('kong.request.get_raw_body');
const EXIT = pdkMethod('kong.response.exit');

/** Counts the events that wait for a request body: a client decides how long one takes. */
export interface UploadHost {
  readonly options: BodyLimits;
  /** Kong was asked for the body. False when so many events wait that this one may do so only for a moment. */
  uploadBegins(): boolean;
  /** Kong has replied, or its reply no longer matters. */
  uploadEnds(): void;
  /** Milliseconds of the clock that {@link PdkPipe.tick} is called with from now on. */
  startClock(): number;
}

interface PendingCall {
  readonly method: PdkMethod;
  readonly args: readonly unknown[];
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** In the place of a call whose reply is not wanted. */
const UNWANTED = undefined;
const DONE = Promise.resolve(undefined);
const NEVER = Number.POSITIVE_INFINITY;
/** While too many events wait for bodies: time for a body that Kong has already, and for a request without one over HTTP/2. */
const SHORT_UPLOAD_MS = 250;

/**
 * The calls of one event: they go out in the order in which they were made, Kong's replies come back in that order. Each
 * event has a pipe of its own, and what its `kong` object sends goes through this one or nowhere.
 */
export class PdkPipe {
  readonly #out: WriteBuffer;
  readonly #host: UploadHost;
  #pending: (PendingCall | typeof UNWANTED)[] = [];
  #firstPending = 0;
  #state: 'open' | 'exited' | 'closed' = 'open';
  #uploadDeadline = NEVER;

  constructor(out: WriteBuffer, host: UploadHost) {
    this.#out = out;
    this.#host = host;
  }

  /** An exit was sent: nothing may follow, not even the end of the event. Kong closes the connection. */
  get exited(): boolean {
    return this.#state === 'exited';
  }

  /** How many replies Kong still owes. */
  get pendingReplies(): number {
    return this.#pending.length - this.#firstPending;
  }

  /**
   * How a large reply that is due next is treated. An unwanted one is not kept at all. The headers are always taken in:
   * without their names the upstream's could not be taken off an error response, and Kong bounds them.
   */
  get nextReply(): 'required' | 'optional' | 'unwanted' {
    const call = this.#pending[this.#firstPending];
    if (call === UNWANTED) return 'unwanted';
    return call.method.name.endsWith('.get_headers') ? 'required' : 'optional';
  }

  /**
   * A call of the plugin's. One that brings nothing back is done as soon as it is sent: Kong carries calls out in their
   * order, and has no way to say that one failed but to end the whole request with a 500. So an event can end without
   * waiting for the replies to its last writes.
   *
   * @throws (by rejecting) EventOverError after the end, PdkCallError when the arguments do not fit or the reply is unreadable.
   */
  call(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    if (this.#state === 'open') return this.ownCall(method, args);
    return Promise.reject(new EventOverError(`${method.name} was called after the event was over`));
  }

  /** A call of the server's own, for an event that the plugin does not end. */
  ownCall(method: PdkMethod, args: readonly unknown[]): Promise<unknown> {
    try {
      sendCall(method, args, this.#out);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return Promise.reject(new PdkCallError('ERR_PDK_ARGUMENTS', `${method.name}: ${reason}`, { cause }));
    }
    if (method === EXIT) {
      if (this.#state === 'open') this.#state = 'exited';
      this.#out.flush();
      return DONE;
    }
    if (method.readReply === undefined) {
      // Goes out with the next call that brings something back, or with the end of the event: Kong waits for one of them.
      this.#pending.push(UNWANTED);
      return DONE;
    }
    this.#out.flushSoon();
    if (method === RAW_BODY && !this.#host.uploadBegins())
      this.#uploadDeadline = this.#host.startClock() + SHORT_UPLOAD_MS;
    return new Promise((resolve, reject) => {
      this.#pending.push({ method, args, resolve, reject });
    });
  }

  /** Hands Kong's reply to the oldest call without one. */
  onReply(reply: WireReader): void {
    const call = this.#shift();
    if (call === UNWANTED) return;
    const { method } = call;
    try {
      const value = method.readReply?.(reply);
      call.resolve(method === RAW_BODY ? bodyOf(value as RawBody, call.args[0], this.#host.options) : value);
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

  /** Gives up waiting for a request body whose time is up. Kong's reply, whenever it comes, is dropped. */
  tick(now: number): void {
    if (now < this.#uploadDeadline) return;
    const error = new PdkCallError(
      'ERR_TOO_MANY_UPLOADS',
      'too many requests wait for their bodies to arrive',
    );
    this.#drop((method) => (method === RAW_BODY ? error : undefined));
  }

  /** The phase returned: no call goes out any more, replies still reach those who wait for them. */
  close(): void {
    if (this.#state === 'open') this.#state = 'closed';
  }

  /** No call goes out any more and no reply comes to the plugin; replies that Kong owes are still taken in and dropped. */
  end(reason: string): void {
    this.close();
    this.#drop(({ name }) => new EventOverError(`no reply to ${name}: ${reason}`));
  }

  /** Rejects the calls for which there is an error; their replies are unwanted. */
  #drop(errorFor: (method: PdkMethod) => Error | undefined): void {
    for (let i = this.#firstPending; i < this.#pending.length; i++) {
      const call = this.#pending[i];
      const error = call && errorFor(call.method);
      if (error === undefined) continue;
      this.#pending[i] = UNWANTED;
      this.#uploadEnded(call);
      call?.reject(error);
    }
  }

  #shift(): PendingCall | typeof UNWANTED {
    const call = this.#pending[this.#firstPending++];
    this.#uploadEnded(call);
    if (this.#firstPending === this.#pending.length) {
      this.#pending = [];
      this.#firstPending = 0;
    }
    return call;
  }

  #uploadEnded(call: PendingCall | typeof UNWANTED): void {
    if (call?.method !== RAW_BODY) return;
    this.#host.uploadEnds();
    this.#uploadDeadline = NEVER;
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
    writer.raw(method.nameFrame);
    if (mayKeep(method, args) && writer.length <= MAX_KEPT_BYTES) {
      const frames = Buffer.concat(writer.finish());
      method.frames.set(args[0], frames);
      out.add(frames);
    } else writer.sendTo(out);
  } finally {
    writer.clear();
    spareWriter = writer;
  }
}

/** Only of calls that read: what they ask for is of the plugin's choosing, what others write is of one request. */
function mayKeep({ readReply, frames }: PdkMethod, args: readonly unknown[]): boolean {
  if (readReply === undefined || frames.size >= MAX_KEPT_FRAMES) return false;
  const [only] = args;
  return args.length < 2 && (only === undefined || typeof only === 'string' || typeof only === 'number');
}

type NamespaceType = new (pipe: PdkPipe) => object;

/** A part of the `kong` object, such as `kong.request`: knows the pipe of its event, and has a getter for each member. */
function namespace(path: string): NamespaceType {
  class Namespace {
    readonly #pipe: PdkPipe;

    constructor(pipe: PdkPipe) {
      this.#pipe = pipe;
    }

    static {
      for (const [name, member] of membersOf(path)) {
        const get =
          typeof member === 'function'
            ? function (this: Namespace) {
                return new member(this.#pipe);
              }
            : function (this: Namespace) {
                const pipe = this.#pipe;
                return (...args: unknown[]) => pipe.call(member, args);
              };
        Object.defineProperty(Namespace.prototype, name, { get, enumerable: true });
      }
      Object.setPrototypeOf(Namespace.prototype, unknownMember(path));
    }
  }
  return Namespace;
}

/** Which property is which method, in both spellings (`get_headers` and `getHeaders`), or which namespace. */
function membersOf(path: string): ReadonlyMap<string, PdkMethod | NamespaceType> {
  const members = new Map<string, PdkMethod | NamespaceType>();
  for (const method of pdkMethods.values()) {
    if (!method.name.startsWith(`${path}.`)) continue;
    const [name = '', ...inner] = method.name.slice(path.length + 1).split('.');
    if (inner.length > 0) members.set(name, members.get(name) ?? namespace(`${path}.${name}`));
    else {
      members.set(name, method);
      members.set(
        name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()),
        method,
      );
    }
  }
  return members;
}

/** What a namespace has beyond its members: with any method that is not offered, the call rejects and names it, as with kong-pdk. */
function unknownMember(path: string): object {
  const call = () => Promise.reject(notOffered(path));
  return new Proxy(call, {
    get: (_target, name) =>
      // A namespace that is awaited or printed must not pass for a promise or an iterable.
      typeof name === 'symbol' || name === 'then' ? undefined : unknownMember(`${path}.${snakeCase(name)}`),
  });
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The `kong` object of one event, as kong-pdk offers it: `new Kong(pipe)`. */
export const Kong = namespace('kong');
