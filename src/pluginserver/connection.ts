import type { Socket } from 'node:net';
import { FrameReader, type FrameSink, WriteBuffer } from './frames.js';
import type { UnknownInstances } from './instance-registry.js';
import type { InstanceTable } from './instances.js';
import { PdkPipe } from './kong-object.js';
import { type InstanceStatus, type RpcCall, readRpcCall, sendInstanceStatus } from './messages.js';
import { type EventConnection, type EventHost, RunningEvent } from './running-event.js';
import type { WireReader } from './wire-reader.js';

/** What a connection needs of the server that it belongs to. */
export interface ConnectionHost extends EventHost {
  /** The plugin objects of this process. */
  readonly instances: InstanceTable;
  readonly unknownInstances: UnknownInstances;
  /** Connections are to be closed as soon as they are idle. */
  readonly draining: boolean;
  /** False when there are too many events already; the event is to be refused then. */
  eventBegins(): boolean;
  eventEnds(): void;
}

/** Of a server that exits; Kong takes the connections first that it used last, so the others are not missed. */
const IDLE_TURNS = 10;
/** How long the other side may take to close its half of a connection, milliseconds. */
const LINGER_MS = 5_000;

/**
 * One connection from Kong. Kong sends one call after the other; an event occupies the connection until it has ended.
 * Frames are replies to PDK calls as long as replies are pending, and calls otherwise.
 */
export class Connection implements EventConnection, FrameSink {
  readonly out: WriteBuffer;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #frames: FrameReader;
  #event: RunningEvent | undefined;
  /** Of the event. */
  #pipe: PdkPipe | undefined;
  /** A call is being worked on; Kong waits for its answer and must not send another one. */
  #busy = false;
  /** The event counts against the host's limit. */
  #counted = false;
  /** Nothing more is started. */
  #closing = false;
  #closed = false;
  /** Reserved for the large frame that is being gathered. */
  #frameBytes = 0;
  /** How often this was found idle since Kong's last call. */
  #idleTurns = 0;

  constructor(socket: Socket, host: ConnectionHost) {
    const { logger, memory, maxFrameBytes } = host.options;
    this.#socket = socket;
    this.#host = host;
    this.out = new WriteBuffer(socket, memory);
    this.#frames = new FrameReader(maxFrameBytes, this);
    socket.on('data', (chunk: Buffer) => this.#frames.push(chunk));
    socket.on('end', () => {
      if (!this.#frames.atBoundary && !this.#closing) this.#garbage('the stream ended within a frame');
    });
    socket.on('error', (err) => logger.debug({ event: 'connection_error', err }, 'connection to Kong broke'));
    socket.on('close', () => this.#onClose());
  }

  onEventEnd(end: 'returned' | 'decided' | 'restart'): void {
    this.#uncount();
    if (end === 'returned') this.#busy = false;
    // Kong closes after an exit. While the server drains it does not wait for that: what was sent is still delivered.
    if (end === 'restart' || this.#host.draining) this.#endAfterReplies();
  }

  /**
   * For a server that exits, which asks again and again: a connection on which nothing is under way has no more use. It is
   * closed when nothing came for some turns. Kong may be about to use it, and cannot see in time that it was closed: an
   * event would be run again elsewhere, but an instance that does not start is a 500.
   */
  closeIfIdle(): void {
    const idle = !this.#busy && this.#pendingReplies === 0;
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
    const pipe = this.#pipe;
    if (pipe !== undefined && pipe.pendingReplies > 0) {
      pipe.onReply(frame);
      if (this.#closing && pipe.pendingReplies === 0) this.#end();
    } else if (!this.#closing) this.#onCall(frame);
    this.#releaseFrame();
  }

  onOversize(announced: number): boolean {
    const { maxFrameBytes } = this.#host.options;
    // Kong cannot be told; but closing would make it repeat the event for ever. So the reply passes by unread.
    if (this.#pipe !== undefined && this.#pendingReplies > 0) {
      this.#pipe.onOversizeReply(announced, announced <= maxFrameBytes);
      return true;
    }
    this.#garbage(`a frame of ${announced} bytes was announced, ${maxFrameBytes} are allowed`);
    return false;
  }

  /** Kong's own calls are few, and small; so they are always taken in. */
  reserve(bytes: number): boolean {
    const { memory } = this.#host.options;
    const reply = this.#pendingReplies === 0 ? 'required' : this.#pipe?.nextReply;
    if (reply === 'required') return true;
    if (reply === 'unwanted' || memory?.reserve(bytes) === false) return false;
    this.#frameBytes = bytes;
    return true;
  }

  get #pendingReplies(): number {
    return this.#pipe?.pendingReplies ?? 0;
  }

  #onCall(frame: WireReader): void {
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
    this.#pipe = undefined;
    if (call.command === 'handle_event') this.#handleEvent(call);
    else this.#handleInstance(call).catch((err) => this.#callFailed(call, err));
  }

  #handleEvent(call: RpcCall): void {
    const host = this.#host;
    const pipe = new PdkPipe(this.out, host);
    const event = new RunningEvent(call.sequence, call.text, pipe, host, this);
    this.#pipe = pipe;
    this.#event = event;
    if (!host.eventBegins()) {
      event.refuse(503);
      return;
    }
    this.#counted = true;
    const instance = host.instances.use(call.instanceId);
    if (instance !== undefined) event.run(instance);
    else this.#findInstance(call.instanceId, event).catch((err) => this.#callFailed(call, err));
  }

  /** The parent of this process may know the instance. */
  async #findInstance(id: number, event: RunningEvent): Promise<void> {
    const { directory, instances, unknownInstances, counts, options } = this.#host;
    await directory.find(id);
    if (this.#closed) return;
    const instance = instances.use(id);
    if (instance !== undefined) return event.run(instance);
    const fields = { event: 'unknown_instance', instance: id };
    if (!unknownInstances.mayClose(id)) {
      options.logger.error(fields, 'unknown instance: refused');
      return event.refuse(500);
    }
    this.#uncount();
    counts.instancesUnknown++;
    options.logger.info(fields, 'Kong named an instance of another server: asking Kong to start it again');
    this.#end();
  }

  async #handleInstance({ sequence, command, instanceId, name, text }: RpcCall): Promise<void> {
    const { directory, instances } = this.#host;
    // Kong does not look at the answer to a close; an unknown id is no error.
    let status: InstanceStatus = { name: '', id: instanceId, startedAt: 0 };
    if (command === 'close_instance') {
      instances.remove(instanceId);
      directory.close(instanceId);
    } else {
      instances.pluginOf(name);
      status = await directory.start(name, text);
    }
    this.#busy = false;
    sendInstanceStatus(sequence, status, this.out);
    this.out.flush();
    if (this.#host.draining) this.#end();
  }

  #callFailed({ command }: RpcCall, err: unknown): void {
    this.#host.options.logger.error({ event: 'call_failed', call: command, err }, 'call of Kong failed');
    this.#end();
  }

  #onClose(): void {
    this.#closing = true;
    this.#closed = true;
    this.#frames.stop();
    this.#releaseFrame();
    this.#uncount();
    this.#event?.onClose();
  }

  #garbage(detail: string): void {
    this.#host.counts.protocolErrors++;
    if (this.#closing) return;
    const { logger } = this.#host.options;
    logger.warn({ event: 'bad_frame', detail }, 'connection closed: not what Kong may send');
    this.#closing = true;
    this.#frames.stop();
    this.#socket.destroySoon();
  }

  /** Kong takes a close with unread replies for an error of the network; so these are taken in first. */
  #endAfterReplies(): void {
    this.#closing = true;
    if (this.#pendingReplies === 0) this.#end();
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

  #releaseFrame(): void {
    if (this.#frameBytes === 0) return;
    this.#host.options.memory?.giveBack(this.#frameBytes);
    this.#frameBytes = 0;
  }
}
