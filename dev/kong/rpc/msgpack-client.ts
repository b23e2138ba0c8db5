import { ReadTimeout } from '../http/byte-reader.js';
import { isTable, PdkError, type PdkTable, type PdkValue } from '../pdk/lua-values.js';
import { PDK } from '../pdk/pdk.js';
import { checkPhase, type PdkCall } from '../pdk/pdk-method.js';
import type { Phase } from '../request-context.js';
import { BadMsgpack, decodeMsgpack, encodeMap, encodeMsgpack, MoreBytes } from './msgpack.js';
import { ConnectionPool, type PluginClient, type PooledConnection, RpcError } from './plugin-client.js';

/** Which RPC carries the result of a PDK method; `Step` all the others. */
const STEPS: Readonly<Record<string, string>> = {
  'kong.request.get_headers': 'StepMultiMap',
  'kong.request.get_query': 'StepMultiMap',
  'kong.response.get_headers': 'StepMultiMap',
  'kong.service.response.get_headers': 'StepMultiMap',
  'kong.router.get_route': 'StepRoute',
  'kong.router.get_service': 'StepService',
};

/** The event is over. */
const RETURNED = 'ret';

/** MsgPack:1 as Kong uses it: each RPC, and each single PDK call, takes a connection from the pool. */
export class MsgpackClient implements PluginClient {
  readonly #pool: ConnectionPool;
  #messages = 0;

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
    const json = Buffer.from(config).toString('latin1');
    const status = await this.#call('plugin.StartInstance', [{ Name: name, Config: json }]);
    const id = isTable(status) ? status.Id : undefined;
    // Without an id every event fails with "no plugin instance".
    return typeof id === 'number' ? id : -1;
  }

  async closeInstance(id: number): Promise<void> {
    await this.#call('plugin.CloseInstance', [id]);
  }

  async handleEvent(id: number, phase: Phase, call: PdkCall): Promise<void> {
    const event = { InstanceId: id, EventName: phase };
    let result = await this.#call('plugin.HandleEvent', [event]);
    while (result !== null && result !== undefined) {
      const data = isTable(result) ? result.Data : undefined;
      if (data === undefined || data === null)
        throw new PdkError("attempt to index field 'Data' (a nil value)");
      if (data === RETURNED) return;
      if (!isTable(data) || typeof data.Method !== 'string') throw new PdkError('table index is nil');
      const eventId = isTable(result) ? result.EventId : undefined;
      const { Method: method } = data;
      const value = await this.#pdk(method, Array.isArray(data.Args) ? data.Args : [], call);
      const step = STEPS[method] ?? 'Step';
      result = await this.#send(
        `plugin.${step}`,
        encodeStep(eventId, step === 'StepMultiMap' ? multiMap(value) : value),
      );
    }
  }

  destroy(): void {
    this.#pool.destroy();
  }

  async #pdk(name: string, given: readonly PdkValue[], call: PdkCall): Promise<PdkValue> {
    const method = PDK.get(name);
    if (method === undefined) {
      call.log.write('error', `could not find pdk method: ${name}`, call.ctx.id);
      return undefined;
    }
    checkPhase(method, call.ctx.phase);
    // Lua's unpack ends at the first nil.
    const hole = given.findIndex((value) => value === null || value === undefined);
    return method.run(call, hole < 0 ? given : given.slice(0, hole));
  }

  #call(method: string, args: readonly PdkValue[]): Promise<PdkValue> {
    return this.#send(method, encodeMsgpack([...args]));
  }

  /** @param args the encoded list of arguments */
  async #send(method: string, args: Buffer): Promise<PdkValue> {
    const id = ++this.#messages;
    const connection = await this.#pool.take();
    try {
      const head = [Buffer.of(0x94, 0x00), encodeMsgpack(id), encodeMsgpack(method)];
      connection.socket.write(Buffer.concat([...head, args]));
      const reply = await this.#reply(connection, id);
      this.#pool.give(connection);
      const [error, result] = reply;
      if (error === null || error === undefined) return result;
      if (typeof error !== 'string') throw new PdkError("attempt to call method 'lower' (a nil value)");
      throw new RpcError(error);
    } catch (error) {
      connection.socket.destroy();
      throw error;
    }
  }

  async #reply(connection: PooledConnection, id: number): Promise<readonly [PdkValue, PdkValue]> {
    for (;;) {
      const message = await this.#message(connection);
      if (!Array.isArray(message)) throw new PdkError('attempt to index a number value');
      const [type, messageId, error, result] = message;
      // A notification of the server; the answer is still to come.
      if (type === 2) continue;
      if (type !== 1) throw new PdkError(`RPC response expected from Go plugin server, got ${String(type)}`);
      if (messageId !== id) throw new PdkError('unexpected response id');
      return [error, result];
    }
  }

  async #message(connection: PooledConnection): Promise<PdkValue> {
    const { reader } = connection;
    for (;;) {
      try {
        if (reader.size > 0) {
          const { value, length } = decodeMsgpack(reader.view());
          reader.skip(length);
          return value;
        }
      } catch (error) {
        if (error instanceof BadMsgpack) throw new PdkError(error.message);
        if (!(error instanceof MoreBytes)) throw error;
      }
      try {
        if (await reader.more(this.timeoutMs)) continue;
      } catch (error) {
        if (!(error instanceof ReadTimeout)) throw error;
      }
      // A time-out is the end of the data, as a closed connection is. Only where Kong looks for the first byte is that no error.
      if (reader.size > 0) throw new PdkError('missing bytes');
      throw new RpcError(reader.error?.message ?? 'no data');
    }
  }
}

/** `[{EventId, Data}]`; nil leaves `Data` out. */
function encodeStep(eventId: PdkValue, data: PdkValue): Buffer {
  const absent = data === undefined || data === null;
  const value = isTable(data) && Object.keys(data).length === 0 ? encodeMap(data) : encodeMsgpack(data);
  return Buffer.concat([
    Buffer.of(0x91, absent ? 0x81 : 0x82),
    encodeMsgpack('EventId'),
    encodeMsgpack(eventId),
    ...(absent ? [] : [encodeMsgpack('Data'), value]),
  ]);
}

/** Headers and arguments: every value a list, one without a value an empty list. */
function multiMap(value: PdkValue): PdkTable {
  const table: PdkTable = Object.create(null);
  for (const [key, entry] of Object.entries(isTable(value) ? value : {})) {
    table[key] = Array.isArray(entry) ? entry : entry === true ? [] : [entry];
  }
  return table;
}
