import { connect, type Socket } from 'node:net';
import type { PluginServerSetting } from '../config/kong-conf.js';
import type { PluginSchema } from '../config/plugin-schema.js';
import { ByteReader, ReadTimeout } from '../http/byte-reader.js';
import type { PdkCall } from '../pdk/pdk-method.js';
import type { Phase } from '../request-context.js';

/** What the query command told about the plugin. */
export interface PluginInfo {
  readonly protocol: 'ProtoBuf:1' | 'MsgPack:1';
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly phases: readonly string[];
  readonly schema: PluginSchema;
  readonly server: PluginServerSetting;
}

/** One protocol of plugin servers. */
export interface PluginClient {
  /** @returns the instance's id. @throws RpcError */
  startInstance(name: string, config: string): Promise<number>;
  /** @throws RpcError */
  closeInstance(id: number): Promise<void>;
  /**
   * Runs one phase, answering the plugin's PDK calls.
   * @throws RpcError, PdkError, ExitSignal; the latter two end the event for the plugin too.
   */
  handleEvent(id: number, phase: Phase, call: PdkCall): Promise<void>;
  /** The connections of this client are closed. */
  destroy(): void;
  readonly connections: number;
}

/** Why a call to the plugin server failed, in the words Kong logs. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
}

/** The connection ended cleanly in the middle of a call; Kong resets the plugin's instances and runs the event again. */
export const CLOSED = 'closed';

export function connectError(error: NodeJS.ErrnoException): RpcError {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    ECONNREFUSED: 'connection refused',
    EACCES: 'permission denied',
    // The queue of connections that the server has not accepted yet is full.
    EAGAIN: 'resource temporarily unavailable',
  };
  return new RpcError(words[error.code ?? ''] ?? error.message);
}

export interface PooledConnection {
  readonly socket: Socket;
  readonly reader: ByteReader;
}

/** lua_socket_keepalive_timeout. */
const IDLE_MS = 60_000;
/** lua_socket_pool_size. */
const DEFAULT_POOL_SIZE = 256;

/** Connections to one plugin server's socket. One that the server closed while it was idle is not handed out. */
export class ConnectionPool {
  readonly #idle: PooledConnection[] = [];
  readonly #all = new Set<Socket>();

  /** @param idle how many connections are kept that are idle; one more closes the oldest */
  constructor(
    private readonly path: string,
    private readonly idle = DEFAULT_POOL_SIZE,
  ) {}

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
    if (this.#idle.length > this.idle) this.#idle.shift()?.socket.destroy();
  }

  /** Connections open now. */
  get size(): number {
    return this.#all.size;
  }

  destroy(): void {
    for (const socket of this.#all) socket.destroy();
  }
}

/** One frame: four bytes of length (little-endian), then as many bytes. @throws RpcError */
export async function readFrame({ reader }: PooledConnection, timeoutMs: number): Promise<Buffer> {
  try {
    while (reader.size < 4) await need(reader, timeoutMs);
    const length = reader.view().readUInt32LE();
    while (reader.size < 4 + length) await need(reader, timeoutMs);
    const frame = Buffer.from(reader.view().subarray(4, 4 + length));
    reader.skip(4 + length);
    return frame;
  } catch (error) {
    if (error instanceof ReadTimeout) throw new RpcError('timeout');
    throw error;
  }
}

async function need(reader: PooledConnection['reader'], timeoutMs: number): Promise<void> {
  if (await reader.more(timeoutMs)) return;
  throw new RpcError(reader.error === undefined ? CLOSED : socketWords(reader.error));
}

function socketWords(error: NodeJS.ErrnoException): string {
  if (error.code === 'ECONNRESET') return 'connection reset by peer';
  return error.code === 'EPIPE' ? 'broken pipe' : error.message;
}
