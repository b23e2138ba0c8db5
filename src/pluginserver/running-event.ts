import type { FrameWriter } from './frames.js';
import type { Instance } from './instances.js';
import { kongObject, pdkMethod } from './kong-object.js';
import { sendEventEnd } from './messages.js';
import type { BodyLimits, ServerCounts, ServerLogger } from './options.js';
import { PdkPipe, type UploadObserver } from './pdk-pipe.js';
import { EventOverError, type PhaseEvent } from './plugin-module.js';
import type { WireReader } from './wire-reader.js';

export interface EventHost {
  readonly counts: ServerCounts;
  readonly logger: ServerLogger;
  readonly bodyLimits: BodyLimits;
  /** A phase that takes longer is refused, milliseconds. Kong itself waits 60 s. */
  readonly eventTimeoutMs: number;
  /** An event waits for a request body. False when so many do that this one may do so only for a moment. */
  uploadBegins(): boolean;
  uploadEnds(): void;
  /** Milliseconds of the clock that {@link RunningEvent.tick} is called with from now on. */
  startClock(): number;
  claimRestart(instanceId: number): Promise<boolean>;
  /** A line about an error response for Kong's own log; undefined when there were some just now. */
  kongLine(
    status: ErrorResponseStatus,
  ): { readonly level: 'warn' | 'err'; readonly text: string } | undefined;
}

export interface EventConnection {
  readonly out: FrameWriter;
  /** The event has ended in the protocol: Kong can send the next call. */
  eventReturned(): void;
  /** The event is decided: an exit is on its way, or the connection is about to close. */
  eventDecided(): void;
  /** Closes cleanly, without an answer: Kong starts the instance anew and repeats the event. */
  closeForRestart(): void;
}

export type ErrorResponseStatus = 500 | 503;

const NEVER = Number.POSITIVE_INFINITY;
/** While too many events wait for bodies: time for a body that Kong has already, and for a request without one over HTTP/2. */
const SHORT_UPLOAD_MS = 250;

/** One event: runs the plugin's phase and sees to it that the event ends in the right way, whatever the plugin does. */
export class RunningEvent implements PhaseEvent, UploadObserver {
  readonly #sequence: number;
  readonly #phase: string;
  readonly #host: EventHost;
  readonly #connection: EventConnection;
  readonly #pipe: PdkPipe;
  #instance: Instance | undefined;
  /** The plugin has no more say in how the event ends. */
  #decided = false;
  #deadline = NEVER;
  #uploadDeadline = NEVER;
  /** Why the event was over before its phase was. */
  #overBecause: string | undefined;
  #onOver: (() => void) | undefined;
  #abort: AbortController | undefined;

  constructor(sequence: number, phase: string, host: EventHost, connection: EventConnection) {
    this.#sequence = sequence;
    this.#phase = phase;
    this.#host = host;
    this.#connection = connection;
    this.#pipe = new PdkPipe(connection.out, host.bodyLimits, this);
  }

  get over(): boolean {
    return this.#overBecause !== undefined;
  }

  onOver(listener: (() => void) | undefined): void {
    if (this.over) listener?.();
    else this.#onOver = listener;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#overBecause !== undefined) this.#abort.abort(new EventOverError(this.#overBecause));
    return this.#abort.signal;
  }

  async requestRestart(): Promise<boolean> {
    const instance = this.#instance;
    if (instance === undefined || this.#decided || this.#pipe.exited) return false;
    // The parent process of a worker may be gone: no restart then.
    const granted = await this.#host.claimRestart(instance.record.id).catch(() => false);
    if (!granted || this.#decided || this.#pipe.exited) return false;
    this.#log('info', 'instance_restarts', 'the plugin asked for a new start of its instance');
    this.#finish('the instance is started again');
    this.#connection.closeForRestart();
    return true;
  }

  /** How many replies Kong still owes. */
  get pendingReplies(): number {
    return this.#pipe.pendingReplies;
  }

  get nextReply(): PdkPipe['nextReply'] {
    return this.#pipe.nextReply;
  }

  uploadBegins(): void {
    if (!this.#host.uploadBegins()) this.#uploadDeadline = this.#host.startClock() + SHORT_UPLOAD_MS;
  }

  uploadEnds(): void {
    this.#host.uploadEnds();
    this.#uploadDeadline = NEVER;
  }

  /** Runs the phase. */
  run(instance: Instance): void {
    this.#instance = instance;
    const phase = instance.phase(this.#phase);
    if (phase === undefined) {
      if (!instance.failed)
        this.#log('error', 'phase_missing', 'Kong asked for a phase that the plugin does not have');
      this.refuse(500);
      return;
    }
    instance.eventBegins();
    this.#deadline = this.#host.startClock() + this.#host.eventTimeoutMs;
    let result: unknown;
    try {
      result = phase(kongObject(this.#pipe), this);
    } catch (error) {
      this.#phaseFailed(error, instance);
      return;
    }
    Promise.resolve(result).then(
      () => this.#phaseReturned(instance),
      (error) => this.#phaseFailed(error, instance),
    );
  }

  /**
   * Ends the event with an error answer instead of the plugin's: the client gets a plain error and nothing of the upstream's
   * answer. In the response phase an exit keeps the upstream's headers (cookies, for example), so they are cleared first.
   */
  refuse(status: ErrorResponseStatus): void {
    this.#finish('the event was refused');
    if (status === 503) this.#host.counts.eventsRefused++;
    else this.#host.counts.eventsFailed++;
    if (this.#pipe.exited) this.#connection.eventDecided();
    else if (this.#phase !== 'response') this.#exit(status);
    else {
      this.#deadline = this.#host.startClock() + CLEARING_TIMEOUT_MS;
      const exit = (): void => this.#exit(status);
      // When the connection is gone, or Kong does not name the headers: an exit is the last that can be done.
      clearUpstreamHeaders(this.#pipe).then(exit, exit);
    }
  }

  onReply(reply: WireReader): void {
    this.#pipe.onReply(reply);
  }

  /** @param noMemory it is not too large by itself */
  onOversizeReply(announced: number, noMemory: boolean): void {
    this.#pipe.onOversizeReply(announced, noMemory);
  }

  /** Looks whether the time is up; false when the event has no deadline any more. */
  tick(now: number): boolean {
    if (now >= this.#uploadDeadline) this.#pipe.giveUpUpload();
    if (now < this.#deadline) return this.#deadline !== NEVER;
    this.#deadline = NEVER;
    if (this.#decided) this.#pipe.end('Kong did not answer in time');
    else if (this.#pipe.exited) {
      this.#finish('the time for the event is up');
      this.#connection.eventDecided();
    } else {
      this.#log('error', 'event_timeout', 'phase took too long: the request is refused');
      this.refuse(500);
    }
    return this.#deadline !== NEVER;
  }

  /** Kong closed the connection, or it broke. */
  onClose(): void {
    if (this.#pipe.closed && this.#pipe.pendingReplies > 0) {
      this.#log('warn', 'last_calls_lost', 'Kong closed before it had carried out the last calls of a phase');
    }
    this.#finish('the connection was closed');
    this.#pipe.end('the connection was closed');
  }

  #phaseReturned(instance: Instance): void {
    instance.eventEnds();
    if (this.#decided) return;
    this.#decided = true;
    this.#deadline = NEVER;
    if (this.#pipe.exited) {
      this.#connection.eventDecided();
      return;
    }
    this.#pipe.close();
    const { out } = this.#connection;
    sendEventEnd(this.#sequence, out);
    out.flush();
    this.#connection.eventReturned();
  }

  #phaseFailed(error: unknown, instance: Instance): void {
    instance.eventEnds();
    if (this.#decided) return;
    if (!this.#pipe.exited) {
      this.#log('error', 'phase_failed', 'phase failed: the request is refused', error);
      this.refuse(500);
      return;
    }
    // The client has its answer already. kong-pdk's exit returns, so plugins run on after it.
    if (!(error instanceof EventOverError))
      this.#log('warn', 'phase_failed_after_exit', 'phase failed after its exit', error);
    this.#decided = true;
    this.#deadline = NEVER;
    this.#connection.eventDecided();
  }

  #exit(status: ErrorResponseStatus): void {
    this.#deadline = NEVER;
    const line = this.#host.kongLine(status);
    if (line !== undefined) void this.#pipe.ownCall(line.level === 'warn' ? LOG_WARN : LOG_ERR, [line.text]);
    const body = JSON.stringify({ message: MESSAGES[status] });
    void this.#pipe.ownCall(EXIT, [status, body, { 'Content-Type': 'application/json; charset=utf-8' }]);
    this.#connection.eventDecided();
  }

  #finish(reason: string): void {
    if (this.#decided) return;
    this.#decided = true;
    this.#deadline = NEVER;
    this.#pipe.end(reason);
    this.#overBecause = reason;
    this.#abort?.abort(new EventOverError(reason));
    const listener = this.#onOver;
    this.#onOver = undefined;
    try {
      listener?.();
    } catch (err) {
      this.#log('error', 'listener_failed', 'the plugin failed after its event had ended', err);
    }
  }

  #log(level: 'info' | 'warn' | 'error', event: string, message: string, err?: unknown): void {
    const { name: plugin, id: instance } = this.#instance?.record ?? {};
    const fields = { event, plugin, instance, phase: this.#phase };
    this.#host.logger[level](err === undefined ? fields : { ...fields, err }, message);
  }
}

const MESSAGES = { 500: 'An unexpected error occurred', 503: 'Service unavailable' } as const;
/** How long Kong may take to name the upstream's headers before an event is refused without clearing them. */
const CLEARING_TIMEOUT_MS = 5_000;
/** Kong's reading of "all headers", and its maximum. */
const MAX_HEADERS = 1000;
/** An upstream may send more than Kong shows at once. */
const MAX_ROUNDS = 20;
/** Kong frames the answer itself; clearing these could break it. */
const FRAMING_HEADERS = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

const EXIT = pdkMethod('kong.response.exit');
const LOG_WARN = pdkMethod('kong.log.warn');
const LOG_ERR = pdkMethod('kong.log.err');
const GET_HEADERS = pdkMethod('kong.response.get_headers');
const CLEAR_HEADER = pdkMethod('kong.response.clear_header');

async function clearUpstreamHeaders(pipe: PdkPipe): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const headers = (await pipe.ownCall(GET_HEADERS, [MAX_HEADERS])) as Record<string, string | string[]>;
    let values = 0;
    for (const [name, value] of Object.entries(headers)) {
      values += Array.isArray(value) ? value.length : 1;
      if (!FRAMING_HEADERS.has(name.toLowerCase())) void pipe.ownCall(CLEAR_HEADER, [name]);
    }
    if (values < MAX_HEADERS) return;
  }
}
