import { isTable, type PdkValue } from '../kong/pdk/pdk-value.js';
import { ConnectionPool } from '../kong/rpc/connection-pool.js';
import { decodeMsgpack, encodeMsgpack, MoreBytes } from '../kong/rpc/msgpack.js';
import { kongSays } from './kinds.js';
import type { EventEnd, KongSide } from './kong-side.js';

const PATIENCE_MS = 30_000;

export function msgpackSide(socket: string): KongSide {
  const pool = new ConnectionPool(socket);
  let messages = 0;

  async function call(method: string, args: readonly PdkValue[]): Promise<PdkValue> {
    const connection = await pool.take();
    const { reader } = connection;
    connection.socket.write(encodeMsgpack([0, ++messages, method, [...args]]));
    for (;;) {
      if (!(await reader.more(PATIENCE_MS))) throw new Error(`no answer to ${method}`);
      let message: PdkValue;
      try {
        const { value, length } = decodeMsgpack(reader.view());
        message = value;
        reader.skip(length);
      } catch (error) {
        if (error instanceof MoreBytes) continue;
        throw error;
      }
      pool.give(connection);
      const [, , error, result] = Array.isArray(message) ? message : [];
      if (error !== null && error !== undefined) throw new Error(String(error));
      return result;
    }
  }

  return {
    async start(config) {
      const status = await call('plugin.StartInstance', [
        { Name: 'ping-auth', Config: JSON.stringify(config) },
      ]);
      if (!isTable(status) || typeof status.Id !== 'number') throw new Error('no instance was started');
      return status.Id;
    },
    async event(id, phase, kind, kept): Promise<EventEnd> {
      let memo: PdkValue = kept;
      let step = await call('plugin.HandleEvent', [{ InstanceId: id, EventName: phase }]);
      for (;;) {
        const { EventId, Data } = isTable(step) ? step : {};
        if (Data === 'ret') return { end: 'returned', memo };
        if (!isTable(Data) || typeof Data.Method !== 'string') throw new Error(`unexpected step in ${kind}`);
        const args = Array.isArray(Data.Args) ? Data.Args : [];
        // Kong never comes back from an exit, so the server is told nothing more of this event.
        if (Data.Method === 'kong.response.exit') return { end: 'exit', memo };
        if (Data.Method === 'kong.ctx.shared.set' && args[0] === 'ping_auth') memo = args[1];
        const value = kongSays(kind, Data.Method, args[0], memo);
        step = await call('plugin.Step', [{ EventId, ...(value === undefined ? {} : { Data: value }) }]);
      }
    },
    close: () => pool.destroy(),
  };
}
