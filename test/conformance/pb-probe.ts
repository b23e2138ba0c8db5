import { createServer, type Server, type Socket } from 'node:net';
import {
  bytesField,
  bytesOf,
  int32Of,
  int64Of,
  lastField,
  readFields,
  varintField,
} from '../../dev/kong/rpc/protobuf.js';
import { FrameCutter, frame } from '../../dev/kong-connection/frames.js';
import { encodeCall, type ScriptCall } from './pb-probe-codec.js';

/** What happened to one call of a script: Kong's reply frame, or that Kong dropped the connection. */
export type ProbeReply = Buffer | 'no_reply';

export interface ProbedPhase {
  readonly phase: string;
  readonly replies: ProbeReply[];
  end: 'running' | 'returned' | 'closed';
}

/** The script of one phase of one instance. */
export type ScriptOf = (config: Record<string, unknown>, phase: string) => readonly ScriptCall[];

/**
 * A ProtoBuf:1 plugin server that runs scripts of PDK calls, one after the other, and keeps the replies. `phases` holds
 * the events by the `key` in the instance's configuration.
 */
export class PbProbe {
  readonly phases = new Map<string, ProbedPhase[]>();
  readonly #configs: Record<string, unknown>[] = [];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(private readonly scriptOf: ScriptOf) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      void this.#serve(socket);
    });
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(path, resolve));
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  async #serve(socket: Socket): Promise<void> {
    const frames = new FrameReader(socket);
    for (;;) {
      const bytes = await frames.next();
      if (bytes === undefined) return;
      const call = readFields(bytes);
      const sequence = int64Of(lastField(call, 1));
      const start = lastField(call, 33);
      const event = lastField(call, 36);
      if (start !== undefined) {
        const config: Record<string, unknown> = JSON.parse(
          bytesOf(lastField(readFields(bytesOf(start)), 2)).toString(),
        );
        const id = this.#configs.push(config);
        const status = varintField(2, id);
        socket.write(frame(Buffer.concat([varintField(1, sequence), bytesField(33, status)])));
      } else if (event !== undefined) {
        const fields = readFields(bytesOf(event));
        const config = this.#configs[int32Of(lastField(fields, 1)) - 1] ?? {};
        if (!(await this.#event(config, bytesOf(lastField(fields, 2)).toString(), socket, frames))) return;
        socket.write(Buffer.concat([frame(''), frame(varintField(1, sequence))]));
      } else {
        socket.write(frame(varintField(1, sequence)));
      }
    }
  }

  /** False when Kong dropped the connection. */
  async #event(
    config: Record<string, unknown>,
    phase: string,
    socket: Socket,
    frames: FrameReader,
  ): Promise<boolean> {
    const seen: ProbedPhase = { phase, replies: [], end: 'running' };
    const key = String(config.key);
    this.phases.set(key, [...(this.phases.get(key) ?? []), seen]);
    for (const call of this.scriptOf(config, phase)) {
      socket.write(Buffer.concat([frame(call[0]), frame(encodeCall(call))]));
      const reply = await frames.next();
      if (reply === undefined) {
        seen.replies.push('no_reply');
        seen.end = 'closed';
        return false;
      }
      seen.replies.push(reply);
    }
    seen.end = 'returned';
    return true;
  }
}

/** Frames out of a socket. */
export class FrameReader {
  readonly #frames: Buffer[] = [];
  #ended = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    const cutter = new FrameCutter();
    socket.on('data', (chunk) => {
      cutter.push(chunk, (payload) => this.#frames.push(payload));
      this.#wake();
    });
    socket.on('close', () => {
      this.#ended = true;
      this.#wake();
    });
  }

  /** undefined when Kong has closed the connection. */
  async next(): Promise<Buffer | undefined> {
    while (this.#frames.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }
}
