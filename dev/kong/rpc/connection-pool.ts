import { connect, type Socket } from 'node:net';
import { ByteReader } from '../net/byte-reader.js';
import { connectError } from './rpc-error.js';

export interface PooledConnection {
  readonly socket: Socket;
  readonly reader: ByteReader;
}

const IDLE_MS = 60_000;

/** Connections to one plugin server's socket. One that the server closed while it was idle is not handed out. */
export class ConnectionPool {
  readonly #idle: PooledConnection[] = [];
  readonly #all = new Set<Socket>();

  constructor(private readonly path: string) {}

  /** @throws RpcError */
  async take(): Promise<PooledConnection> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (!idle.reader.ended && idle.reader.size === 0 && !idle.socket.destroyed) {
        idle.socket.setTimeout(0);
        return idle;
      }
      idle.socket.destroy();
    }
    return new Promise((resolve, reject) => {
      const socket = connect(this.path);
      const refuse = (error: NodeJS.ErrnoException): void => reject(connectError(error));
      socket.once('error', refuse);
      socket.once('connect', () => {
        socket.off('error', refuse);
        this.#all.add(socket);
        socket.on('close', () => this.#all.delete(socket));
        socket.on('timeout', () => socket.destroy());
        resolve({ socket, reader: new ByteReader(socket) });
      });
    });
  }

  give(connection: PooledConnection): void {
    connection.socket.setTimeout(IDLE_MS);
    this.#idle.push(connection);
  }

  /** Connections open now. */
  get size(): number {
    return this.#all.size;
  }

  destroy(): void {
    for (const socket of this.#all) socket.destroy();
  }
}
