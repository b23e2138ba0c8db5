import type { Socket } from 'node:net';
import { frame } from '../../kong-connection/frames.js';
import { PdkError } from '../pdk/lua-values.js';
import { PDK } from '../pdk/pdk.js';
import { checkPhase, type PdkCall } from '../pdk/pdk-method.js';
import type { Phase } from '../request-context.js';
import { decodeArguments, encodeReply, ReplyTypeError } from './pb-methods.js';
import {
  ConnectionPool,
  type PluginClient,
  type PooledConnection,
  RpcError,
  readFrame,
} from './plugin-client.js';
import {
  BadMessage,
  bytesField,
  bytesOf,
  int32Of,
  int64Of,
  lastField,
  readFields,
  varintField,
} from './protobuf.js';

/** ProtoBuf:1 as Kong uses it: one connection carries a whole event. */
export class ProtobufClient implements PluginClient {
  readonly #pool: ConnectionPool;
  #sequence = 0;

  constructor(
    socket: string,
    private readonly timeoutMs: number,
    idleConnections?: number,
  ) {
    this.#pool = new ConnectionPool(socket, idleConnections);
  }

  get connections(): number {
    return this.#pool.size;
  }

  async startInstance(name: string, config: string): Promise<number> {
    const command = Buffer.concat([bytesField(1, name), bytesField(2, Buffer.from(config))]);
    const reply = await this.#call(33, command);
    const status = lastField(readFields(reply), 33);
    if (status === undefined) throw new PdkError("attempt to index field 'instance_status' (a nil value)");
    return int32Of(lastField(readFields(bytesOf(status)), 2));
  }

  async closeInstance(id: number): Promise<void> {
    await this.#call(35, varintField(1, id));
  }

  async handleEvent(id: number, phase: Phase, call: PdkCall): Promise<void> {
    const connection = await this.#pool.take();
    try {
      const command = Buffer.concat([varintField(1, id), bytesField(2, phase)]);
      const request = this.#request(36, command);
      connection.socket.write(request.frame);
      while (await this.#answerOne(connection, call));
      const sequence = this.#sequenceOf(await readFrame(connection, this.timeoutMs));
      if (sequence !== request.sequence) throw new PdkError('assertion failed!');
    } catch (error) {
      // Whatever ends the event early also ends the connection, but only once the client has its answer.
      call.ctx.afterwards.push(() => connection.socket.destroy());
      throw error;
    }
    this.#pool.give(connection);
  }

  destroy(): void {
    this.#pool.destroy();
  }

  /** One PDK call; false at the empty frame that ends the event. */
  async #answerOne(connection: PooledConnection, call: PdkCall): Promise<boolean> {
    const name = (await readFrame(connection, this.timeoutMs)).toString('latin1');
    if (name === '') return false;
    const bytes = await readFrame(connection, this.timeoutMs);
    const args = decodeArguments(name, bytes);
    const method = PDK.get(name);
    if (args === undefined || method === undefined) {
      throw new RpcError(`pluginserver error: method "${name}" not found`);
    }
    checkPhase(method, call.ctx.phase);
    const result = await method.run(call, args);
    try {
      writeTogether(connection.socket, frame(encodeReply(name, result)));
    } catch (error) {
      if (error instanceof ReplyTypeError) throw new PdkError(error.message);
      throw error;
    }
    return true;
  }

  #request(command: number, payload: Buffer): { sequence: number; frame: Buffer } {
    this.#sequence += 2;
    const message = Buffer.concat([varintField(1, this.#sequence), bytesField(command, payload)]);
    return { sequence: this.#sequence, frame: frame(message) };
  }

  #sequenceOf(reply: Buffer): number | undefined {
    try {
      return int64Of(lastField(readFields(reply), 1));
    } catch (error) {
      if (error instanceof BadMessage) return undefined;
      throw error;
    }
  }

  async #call(command: number, payload: Buffer): Promise<Buffer> {
    const connection = await this.#pool.take();
    try {
      connection.socket.write(this.#request(command, payload).frame);
      const reply = await readFrame(connection, this.timeoutMs);
      this.#pool.give(connection);
      return reply;
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
  }
}

/** In one write with all that is written before the event loop turns. Calls that came together are answered so; a write is dear. */
function writeTogether(socket: Socket, bytes: Buffer): void {
  socket.cork();
  socket.write(bytes);
  process.nextTick(() => socket.uncork());
}
