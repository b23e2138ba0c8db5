import type { Socket } from 'node:net';
import { type FrameMemory, FrameReader, type FrameSink, type FrameWriter, WriteBuffer } from './frames.js';
import type { InstanceDirectory } from './instances.js';
import { type InstanceStatus, type RpcCall, readRpcCall, sendInstanceStatus } from './messages.js';
import { type EventConnection, type EventHost, RunningEvent } from './running-event.js';
import type { WireReader } from './wire-reader.js';

/** What a connection needs of the server that it belongs to. */
export interface ConnectionHost extends EventHost {
  readonly instances: InstanceDirectory;
  /** A frame that announces more is not read, bytes. */
  readonly maxFrameBytes: number;
  /** Connections are to be closed as soon as they are idle. */
  readonly draining: boolean;
  /** False when there are too many events already; the event is to be refused then. */
  eventBegins(): boolean;
  eventEnds(): void;
  /** Whether an unknown instance may be answered with a close, which makes Kong start it anew. */
  mayCloseFor(instanceId: number): boolean;
}

/** Of a server that ends; Kong takes the connections first that it used last, so the others are not missed. */
const IDLE_TURNS = 10;
/** How long the other side may take to close its half of a connection, milliseconds. */
const LINGER_MS = 5_000;

/**
 * One connection from Kong. Kong sends one call after the other; an event occupies the connection until it has ended.
 * Frames are replies to PDK calls as long as replies are pending, and calls otherwise.
 */
export class Connection implements EventConnection, FrameSink, FrameMemory {
  readonly out: FrameWriter;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #frames: FrameReader;
  #event: RunningEvent | undefined;
  /** A call is being worked on; Kong waits for its answer and must not send another one. */
  #busy = false;
  /** The event counts against the host's limit. */
  #counted = false;
  /** Nothing more is started. */
  #closing = false;
  #closed = false;
  /** How often this was found idle since Kong's last call. */
  #idleTurns = 0;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    this.out = new WriteBuffer(socket, host.bodyLimits.memory);
    this.#frames = new FrameReader(host.maxFrameBytes, this, this);
    socket.on('data', (chunk: Buffer) => this.#frames.push(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('error', (err) =>
      host.logger.debug({ event: 'connection_error', err }, 'connection to Kong broke'),
    );
    socket.on('close', () => this.#onClose());
  }

  eventReturned(): void {
    this.#uncount();
    this.#busy = false;
    if (this.#host.draining) this.#endAfterReplies();
  }

  eventDecided(): void {
    this.#uncount();
    // Kong closes after an exit. While the server drains there is no waiting for that: what was sent is still delivered.
    if (this.#host.draining) this.#endAfterReplies();
  }

  closeForRestart(): void {
    this.#uncount();
    this.#endAfterReplies();
  }

  /**
   * For a server that ends, which asks again and again: a connection on which nothing is under way has no more use. It is
   * closed when nothing came for some turns. Kong may be about to use it, and cannot see in time that it was closed: an
   * event would be run again elsewhere, but an instance that does not start is a 500.
   */
  closeIfIdle(): void {
    const idle = !this.#busy && (this.#event?.pendingReplies ?? 0) === 0;
    if (idle && ++this.#idleTurns > IDLE_TURNS) this.#end();
    else if (this.#busy && !this.#counted && this.#event !== undefined) this.#endAfterReplies();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Looks whether the event's time is up; false when nothing here has a deadline. */
  tick(now: number): boolean {
    return this.#event?.tick(now) ?? false;
  }

  onFrame(frame: WireReader): void {
    const event = this.#event;
    if (event !== undefined && event.pendingReplies > 0) {
      event.onReply(frame);
      if (this.#closing && event.pendingReplies === 0) this.#end();
      return;
    }
    if (this.#closing) return;
    if (this.#busy) {
      this.#garbage('Kong sent a frame although no reply was due');
      return;
    }
    let call: RpcCall;
    try {
      call = readRpcCall(frame);
    } catch (error) {
      this.#garbage(`unreadable call: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    this.#busy = true;
    this.#idleTurns = 0;
    this.#event = undefined;
    if (call.command === 'handle_event') this.#handleEvent(call);
    else this.#handle(call).catch((err) => this.#callFailed(call, err));
  }

  onOversize(announced: number): boolean {
    // Kong cannot be told; but closing would make it repeat the event for ever. So the reply passes by unread.
    if (this.#event !== undefined && this.#event.pendingReplies > 0) {
      this.#event.onOversizeReply(announced, announced <= this.#host.maxFrameBytes);
      return true;
    }
    this.#garbage(`a frame of ${announced} bytes was announced, ${this.#host.maxFrameBytes} are allowed`);
    return false;
  }

  /** Kong's own calls are few, and small; so they are always taken in. */
  takeMemory(bytes: number): number | undefined {
    const event = this.#event;
    if (event === undefined || event.pendingReplies === 0 || event.nextReply === 'required') return 0;
    const { memory } = this.#host.bodyLimits;
    if (event.nextReply === 'unwanted' || memory?.reserve(bytes) === false) return undefined;
    return memory === undefined ? 0 : bytes;
  }

  giveBackMemory(bytes: number): void {
    this.#host.bodyLimits.memory?.giveBack(bytes);
  }

  #handleEvent(call: RpcCall): void {
    const host = this.#host;
    const event = new RunningEvent(call.sequence, call.text, host, this);
    this.#event = event;
    if (!host.eventBegins()) {
      event.refuse(503);
      return;
    }
    this.#counted = true;
    const instance = host.instances.get(call.instanceId);
    if (instance !== undefined) event.run(instance);
    else this.#findInstance(call.instanceId, event).catch((err) => this.#callFailed(call, err));
  }

  /** The parent of this process may know the instance. */
  async #findInstance(id: number, event: RunningEvent): Promise<void> {
    const instance = await this.#host.instances.find(id);
    if (this.#closed) return;
    if (instance !== undefined) return event.run(instance);
    if (this.#host.mayCloseFor(id)) return this.#closeForUnknown(id);
    this.#host.logger.error({ event: 'unknown_instance', instance: id }, 'unknown instance: refused');
    event.refuse(500);
  }

  #callFailed(call: RpcCall, err: unknown): void {
    this.#host.logger.error({ event: 'call_failed', call: call.command, err }, 'call of Kong failed');
    this.#end();
  }

  async #handle({ sequence, command, instanceId, name, text }: RpcCall): Promise<void> {
    const { instances } = this.#host;
    if (command === 'start_instance') return this.#answer(sequence, await instances.start(name, text));
    // Kong does not look at the answer to a close; one for an id of an earlier life is nothing to complain about.
    instances.close(instanceId);
    this.#answer(sequence, { name: '', id: instanceId, startedAt: 0 });
  }

  #answer(sequence: number, status: InstanceStatus): void {
    this.#busy = false;
    sendInstanceStatus(sequence, status, this.out);
    this.out.flush();
    if (this.#host.draining) this.#end();
  }

  #closeForUnknown(instanceId: number): void {
    this.#uncount();
    this.#host.counts.instancesUnknown++;
    const fields = { event: 'unknown_instance', instance: instanceId };
    this.#host.logger.info(fields, 'Kong named an instance of another server: asking Kong to start it again');
    this.#end();
  }

  #onEnd(): void {
    if (!this.#frames.atBoundary && !this.#closing) this.#garbage('the stream ended within a frame');
  }

  #onClose(): void {
    this.#closing = true;
    this.#closed = true;
    this.#frames.stop();
    this.#uncount();
    this.#event?.onClose();
  }

  #garbage(detail: string): void {
    this.#host.counts.protocolErrors++;
    if (this.#closing) return;
    this.#host.logger.warn({ event: 'bad_frame', detail }, 'connection closed: not what Kong may send');
    this.#closing = true;
    this.#frames.stop();
    this.#socket.destroySoon();
  }

  /** Kong takes a close with unread replies for an error of the network; so these are taken in first. */
  #endAfterReplies(): void {
    this.#closing = true;
    if ((this.#event?.pendingReplies ?? 0) === 0) this.#end();
  }

  #end(): void {
    this.#closing = true;
    this.out.flush();
    this.#socket.end();
    setTimeout(() => this.#socket.destroy(), LINGER_MS).unref();
  }

  #uncount(): void {
    if (!this.#counted) return;
    this.#counted = false;
    this.#host.eventEnds();
  }
}
