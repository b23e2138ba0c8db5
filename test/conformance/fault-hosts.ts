import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import type { PdkValue } from '../../dev/kong/pdk/lua-values.js';
import { decodeMsgpack, encodeMsgpack, MoreBytes } from '../../dev/kong/rpc/msgpack.js';
import { type ProbedCase, type ProbeHost, probeServers } from './probe-host.js';
import type { RecordedPhase } from './recordings.js';

/** What is wrong with the server: in which event (`start`: when an instance is started), for one case. */
export interface Fault {
  readonly name: string;
  readonly in: 'start' | 'access' | 'response';
}

/** After so many times the server behaves; a Kong that tries again gets through. */
export const MISBEHAVES = 20;

/** Counts how often a case's fault was met. */
export class Faults {
  readonly #met = new Map<string, number>();

  constructor(private readonly byKey: ReadonlyMap<string, Fault>) {}

  /** The fault to show now; undefined to behave. */
  now(key: string, where: Fault['in']): string | undefined {
    const fault = this.byKey.get(key);
    if (fault?.in !== where) return undefined;
    const met = (this.#met.get(key) ?? 0) + 1;
    this.#met.set(key, met);
    return met > MISBEHAVES ? undefined : fault.name;
  }

  /** The case is over: the next request finds a server that behaves. */
  heal(key: string): void {
    this.#met.set(key, MISBEHAVES);
  }
}

/** A plugin server that misbehaves on purpose; what it does with one connection is the protocol's part. */
export class FaultHost implements ProbeHost {
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(
    private readonly protocol: 'ProtoBuf:1' | 'MsgPack:1',
    private readonly serve: (socket: Socket) => void,
  ) {}

  async start(folder: string, _cases: readonly ProbedCase[]): Promise<KongConf> {
    const socketPath = join(folder, 'faults.sock');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#sockets.delete(socket));
      this.serve(socket);
    });
    await new Promise<void>((resolve) => this.#server?.listen(socketPath, resolve));
    return probeServers(folder, this.protocol, socketPath);
  }

  phases(): RecordedPhase[] {
    return [];
  }

  stop(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server?.close();
  }
}

/** MessagePack messages out of a socket. */
export async function* messages(socket: Socket): AsyncGenerator<PdkValue> {
  let buffer: Buffer = Buffer.alloc(0);
  for await (const chunk of socket) {
    buffer = Buffer.concat([buffer, chunk as Buffer]);
    for (;;) {
      try {
        const { value, length } = decodeMsgpack(buffer);
        buffer = buffer.subarray(length);
        yield value;
      } catch (error) {
        if (error instanceof MoreBytes) break;
        throw error;
      }
    }
  }
}

export function answer(id: PdkValue, result: PdkValue, error: PdkValue = null, type = 1): Buffer {
  return encodeMsgpack([type, id, error, result]);
}
