import { clearUpstreamHeaders, type ErrorStatus, sendErrorResponse } from './error-response.js';
import type { WriteBuffer } from './frames.js';
import type { InstanceDirectory } from './instance-registry.js';
import type { Instance } from './instances.js';
import { Kong, type PdkPipe, type UploadHost } from './kong-object.js';
import { sendEventEnd } from './messages.js';
import type { HostLimits, ServerCounts } from './options.js';
import { EventOverError, type PhaseEvent } from './plugin-module.js';

export interface EventHost extends UploadHost {
  readonly options: HostLimits;
  readonly counts: ServerCounts;
  readonly directory: InstanceDirectory;
  /** Whether an error response gets a line in Kong's own log; false when there were some just now. */
  mayTellKong(status: ErrorStatus): boolean;
}

export interface EventConnection {
  readonly out: WriteBuffer;
  /**
   * The event is over: `returned`, so that Kong can send the next call; `decided`, since an exit is on its way; `restart`, and
   * the connection is to be closed without an answer, so that Kong starts the instance again and repeats the event.
   */
  onEventEnd(end: 'returned' | 'decided' | 'restart'): void;
}

const NEVER = Number.POSITIVE_INFINITY;
/** How long Kong may take to name the upstream's headers before an event is refused without clearing them. */
const CLEARING_TIMEOUT_MS = 5_000;

/** One event: runs the plugin's phase and sees to it that the event ends in the right way, whatever the plugin does. */
export class RunningEvent implements PhaseEvent {
  readonly #sequence: number;
  readonly #phase: string;
  readonly #pipe: PdkPipe;
  readonly #host: EventHost;
  readonly #connection: EventConnection;
  #instance: Instance | undefined;
  /** How the event ends is settled; the plugin cannot change it any more. */
  #decided = false;
  #deadline = NEVER;
  /** Why the event was over before its phase was. */
  #overBecause: string | undefined;
  #onOver: (() => void) | undefined;
  #abort: AbortController | undefined;

  constructor(sequence: number, phase: string, pipe: PdkPipe, host: EventHost, connection: EventConnection) {
    this.#sequence = sequence;
    this.#phase = phase;
    this.#host = host;
    this.#connection = connection;
    this.#pipe = pipe;
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
    const isOver = () => this.#decided || this.#pipe.exited;
    if (this.#instance === undefined || isOver()) return false;
    // The parent process of a worker may be gone: no restart then.
    const { directory } = this.#host;
    const claim = Promise.resolve(directory.claimRestart(this.#instance.record.id));
    if (!(await claim.catch(() => false)) || isOver()) return false;
    this.#log('info', 'instance_restarts', 'the plugin asked for a new start of its instance');
    this.#finish('the instance is started again');
    this.#connection.onEventEnd('restart');
    return true;
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
    this.#deadline = this.#host.startClock() + this.#host.options.eventTimeoutMs;
    const onError = (error: unknown): void => this.#phaseFailed(error, instance);
    let result: unknown;
    try {
      result = phase(new Kong(this.#pipe), this);
    } catch (error) {
      onError(error);
      return;
    }
    Promise.resolve(result).then(() => {
      instance.eventEnds();
      if (!this.#decided) this.#phaseEnded();
    }, onError);
  }

  /** Ends the event with an error response in place of the plugin's, and with nothing of the upstream's response. */
  refuse(status: ErrorStatus): void {
    this.#finish('the event was refused');
    if (status === 503) this.#host.counts.eventsRefused++;
    else this.#host.counts.eventsFailed++;
    const exit = (): void => {
      this.#deadline = NEVER;
      if (!this.#pipe.exited) sendErrorResponse(this.#pipe, status, this.#host.mayTellKong(status));
      this.#connection.onEventEnd('decided');
    };
    if (this.#pipe.exited || this.#phase !== 'response') exit();
    else {
      this.#deadline = this.#host.startClock() + CLEARING_TIMEOUT_MS;
      // When the connection is gone, or Kong does not name the headers: an exit is the last that can be done.
      clearUpstreamHeaders(this.#pipe).then(exit, exit);
    }
  }

  /** Looks whether the time is up; false when the event has no deadline any more. */
  tick(now: number): boolean {
    this.#pipe.tick(now);
    if (now >= this.#deadline) this.#timeIsUp();
    return this.#deadline !== NEVER;
  }

  /** Kong closed the connection, or it broke. */
  onClose(): void {
    const hasReturned = this.#decided && !this.over && !this.#pipe.exited;
    if (hasReturned && this.#pipe.pendingReplies > 0)
      this.#log('warn', 'last_calls_lost', 'Kong closed before it had carried out the last calls of a phase');
    this.#finish('the connection was closed');
    this.#pipe.end('the connection was closed');
  }

  #timeIsUp(): void {
    this.#deadline = NEVER;
    if (this.#decided) this.#pipe.end('Kong did not answer in time');
    else if (this.#pipe.exited) {
      this.#finish('the time for the event is up');
      this.#connection.onEventEnd('decided');
    } else {
      this.#log('error', 'event_timeout', 'phase took too long: the request is refused');
      this.refuse(500);
    }
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
    this.#phaseEnded();
  }

  #phaseEnded(): void {
    this.#decided = true;
    this.#deadline = NEVER;
    if (this.#pipe.exited) {
      this.#connection.onEventEnd('decided');
      return;
    }
    this.#pipe.close();
    const { out } = this.#connection;
    sendEventEnd(this.#sequence, out);
    out.flush();
    this.#connection.onEventEnd('returned');
  }

  /** Ends the event before its phase has ended. */
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
    this.#host.options.logger[level](err === undefined ? fields : { ...fields, err }, message);
  }
}
