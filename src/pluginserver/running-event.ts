import PDK from 'kong-pdk/pdk.js';
import type { Instance } from './instances.js';
import type { BodyLimits, ServerCounts, ServerLogger } from './options.js';
import { EXIT_METHOD } from './pdk-methods.js';
import { PdkPipe } from './pdk-pipe.js';
import { EventOverError, type PhaseEvent } from './plugin-module.js';
import { returnFrame } from './rpc-messages.js';

export interface EventHost {
  readonly counts: ServerCounts;
  readonly logger: ServerLogger;
  readonly bodyLimits: BodyLimits;
  /** A phase that takes longer is refused, milliseconds. Kong itself waits 60 s. */
  readonly eventTimeoutMs: number;
  mayRestart(instanceId: number): boolean;
  claimRestart(instanceId: number): Promise<boolean>;
}

export interface EventConnection {
  send(pieces: readonly Uint8Array[]): void;
  /** The event has ended in the protocol: Kong can send the next call. */
  eventReturned(): void;
  /** The event is decided: an exit is on its way, or the connection is about to close. */
  eventDecided(): void;
  /** Closes cleanly, without an answer: Kong starts the instance anew and repeats the event. */
  closeForRestart(): void;
}

export interface EventCall {
  readonly sequence: number;
  readonly phase: string;
}

/** How long Kong may take to name the upstream's headers before an event is refused without clearing them. */
const REFUSAL_TIMEOUT_MS = 5_000;
const EMPTY_FRAME = Buffer.alloc(4);

/** One event: runs the plugin's phase and sees to it that the event ends in the right way, whatever the plugin does. */
export class RunningEvent implements PhaseEvent {
  readonly #call: EventCall;
  readonly #host: EventHost;
  readonly #connection: EventConnection;
  readonly #pipe: PdkPipe;
  /** For the server's own calls, when the plugin failed. */
  #rescue: PdkPipe | undefined;
  #abort: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;
  #instance: Instance | undefined;
  /** The plugin was told that a restart would be granted. */
  #restartPromised = false;
  #restartDenied = false;
  #over = false;

  constructor(call: EventCall, host: EventHost, connection: EventConnection) {
    this.#call = call;
    this.#host = host;
    this.#connection = connection;
    this.#pipe = new PdkPipe((pieces) => connection.send(pieces), host.bodyLimits);
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#over) this.#abort.abort(new EventOverError('the event is over'));
    }
    return this.#abort.signal;
  }

  get restartAllowed(): boolean {
    const id = this.#instance?.record.id;
    const allowed = id !== undefined && !this.#restartDenied && this.#host.mayRestart(id);
    this.#restartPromised = allowed;
    return allowed;
  }

  /** How many replies Kong still owes. */
  get owed(): number {
    return this.#pipe.owed + (this.#rescue?.owed ?? 0);
  }

  /** Runs the phase; never rejects. */
  async run(instance: Instance): Promise<void> {
    this.#instance = instance;
    const phase = instance.phase(this.#call.phase);
    if (phase === undefined) {
      if (!instance.failed)
        this.#log('error', 'phase_missing', 'Kong asked for a phase that the plugin does not have');
      return this.refuse(500);
    }
    this.#timer = setTimeout(() => this.#timeIsUp(), this.#host.eventTimeoutMs);
    instance.eventBegins();
    const { kong } = new PDK(this.#pipe);
    try {
      await this.#attempt(async () => phase(kong, this));
    } finally {
      clearTimeout(this.#timer);
      instance.eventEnds();
    }
  }

  /** Ends the event with an error answer instead of the plugin's. Never rejects. */
  async refuse(status: RefusalStatus): Promise<void> {
    this.#finish('the event was refused');
    if (status === 503) this.#host.counts.eventsRefused++;
    else this.#host.counts.eventsFailed++;
    if (this.#pipe.exited) return this.#connection.eventDecided();
    const rescue = new PdkPipe((pieces) => this.#connection.send(pieces), this.#host.bodyLimits);
    this.#rescue = rescue;
    const timer = setTimeout(() => rescue.end('Kong did not answer in time'), REFUSAL_TIMEOUT_MS);
    try {
      await refuse(rescue, this.#call.phase, status);
    } catch {
      const last = new PdkPipe((pieces) => this.#connection.send(pieces), this.#host.bodyLimits);
      exit(last, status);
    } finally {
      clearTimeout(timer);
      this.#connection.eventDecided();
    }
  }

  /** False when no call waits for a reply. */
  onReply(payload: Buffer): boolean {
    const pipe = this.#pipeInTurn();
    pipe?.onReply(payload);
    return pipe !== undefined;
  }

  onOversizeReply(announced: number): boolean {
    const pipe = this.#pipeInTurn();
    pipe?.onOversizeReply(announced);
    return pipe !== undefined;
  }

  /** Kong closed the connection, or it broke. */
  onClose(): void {
    if (this.#pipe.sealed && this.#pipe.owed > 0) {
      this.#log('warn', 'last_calls_lost', 'Kong closed before it had carried out the last calls of a phase');
    }
    this.#finish('the connection was closed');
    this.#pipe.end('the connection was closed');
    this.#rescue?.end('the connection was closed');
  }

  #pipeInTurn(): PdkPipe | undefined {
    if (this.#pipe.owed > 0) return this.#pipe;
    return this.#rescue !== undefined && this.#rescue.owed > 0 ? this.#rescue : undefined;
  }

  async #attempt(phase: () => Promise<unknown>): Promise<void> {
    try {
      await phase();
      this.#phaseReturned();
    } catch (error) {
      await this.#phaseFailed(error, phase);
    }
  }

  #phaseReturned(): void {
    if (this.#over) return;
    if (this.#pipe.exited) {
      this.#over = true;
      this.#connection.eventDecided();
      return;
    }
    this.#over = true;
    this.#pipe.seal();
    this.#connection.send([EMPTY_FRAME, returnFrame(this.#call.sequence)]);
    this.#connection.eventReturned();
  }

  async #phaseFailed(error: unknown, phase: () => Promise<unknown>): Promise<void> {
    if (this.#over) return;
    if (this.#pipe.exited) {
      // The client has its answer already. kong-pdk's exit returns, so plugins run on after it.
      if (!(error instanceof EventOverError))
        this.#log('warn', 'phase_failed_after_exit', 'phase failed after its exit', error);
      this.#over = true;
      this.#connection.eventDecided();
      return;
    }
    const wasPromised = this.#restartPromised;
    if (wantsRestart(error) && (await this.#restart())) return;
    if (this.#over) return;
    if (wantsRestart(error) && wasPromised) {
      // Another request or worker process was faster. The plugin was told otherwise, so it has to end the event itself now.
      this.#restartDenied = true;
      return this.#attempt(phase);
    }
    this.#log('error', 'phase_failed', 'phase failed: the request is refused', error);
    await this.refuse(500);
  }

  async #restart(): Promise<boolean> {
    const id = this.#instance?.record.id;
    if (id === undefined) return false;
    // The parent process of a worker may be gone: no restart then.
    const granted = await this.#host.claimRestart(id).catch(() => false);
    if (!granted) return false;
    this.#log('info', 'instance_restarts', 'the plugin asked for a new start of its instance');
    this.#finish('the instance starts anew');
    this.#connection.closeForRestart();
    return true;
  }

  #timeIsUp(): void {
    if (this.#over) return;
    if (this.#pipe.exited) {
      this.#finish('the time for the event is up');
      this.#connection.eventDecided();
      return;
    }
    this.#log('error', 'event_timeout', 'phase took too long: the request is refused');
    void this.refuse(500);
  }

  #finish(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#pipe.end(reason);
    this.#abort?.abort(new EventOverError(reason));
  }

  #log(level: 'info' | 'warn' | 'error', event: string, message: string, err?: unknown): void {
    const { name: plugin, id: instance } = this.#instance?.record ?? {};
    const fields = { event, plugin, instance, phase: this.#call.phase };
    this.#host.logger[level](err === undefined ? fields : { ...fields, err }, message);
  }
}

function wantsRestart(error: unknown): boolean {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'restartInstance') === true;
}

/** Kong's reading of "all headers", and its maximum. */
const MAX_HEADERS = 1000;
/** An upstream may send more than Kong shows at once. */
const MAX_ROUNDS = 20;

/** Kong frames the answer itself; clearing these could break it. */
const FRAMING_HEADERS = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

const MESSAGES: Readonly<Record<number, string>> = {
  500: 'An unexpected error occurred',
  503: 'Service unavailable',
};

export type RefusalStatus = 500 | 503;

/**
 * Ends an event whose plugin did not: the client gets a plain error and nothing of the upstream's answer. In the response
 * phase an exit keeps the upstream's headers (cookies, for example), so they are cleared by name first.
 *
 * @throws EventOverError when the connection is gone.
 */
export async function refuse(pipe: PdkPipe, phase: string, status: RefusalStatus): Promise<void> {
  if (phase === 'response') await clearUpstreamHeaders(pipe);
  exit(pipe, status);
}

/** The refusal without a look at the headers, for when Kong no longer answers. */
export function exit(pipe: PdkPipe, status: RefusalStatus): void {
  const body = JSON.stringify({ message: MESSAGES[status] });
  pipe.put({
    Method: EXIT_METHOD,
    Args: [status, body, { 'Content-Type': 'application/json; charset=utf-8' }],
  });
}

async function clearUpstreamHeaders(pipe: PdkPipe): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    pipe.put({ Method: 'kong.response.get_headers', Args: [MAX_HEADERS] });
    const [headers] = await pipe.get();
    const shown = Object.entries(headers as Record<string, string | string[]>);
    for (const [name] of shown) {
      if (!FRAMING_HEADERS.has(name.toLowerCase()))
        pipe.put({ Method: 'kong.response.clear_header', Args: [name] });
    }
    const values = shown.reduce((count, [, value]) => count + (Array.isArray(value) ? value.length : 1), 0);
    if (values < MAX_HEADERS) return;
  }
}
