import type { PdkValue } from '../kong/pdk/pdk-value.js';
import { ConnectionPool } from '../kong/rpc/connection-pool.js';
import { frame, readFrame } from '../kong/rpc/frames.js';
import { decodeArguments, encodeReply } from '../kong/rpc/pb-methods.js';
import { bytesField, varintField } from '../kong/rpc/protobuf.js';
import { ProtobufClient } from '../kong/rpc/protobuf-client.js';
import { kongSays } from './kinds.js';
import type { EventEnd, KongSide } from './kong-side.js';

const PATIENCE_MS = 30_000;

export function protobufSide(socket: string): KongSide {
  const pool = new ConnectionPool(socket);
  const client = new ProtobufClient(socket, PATIENCE_MS);
  return {
    start: (config) => client.startInstance('ping-auth', JSON.stringify(config)),
    async event(id, phase, kind, kept): Promise<EventEnd> {
      const connection = await pool.take();
      const command = Buffer.concat([varintField(1, id), bytesField(2, phase)]);
      connection.socket.write(frame(Buffer.concat([varintField(1, 7), bytesField(36, command)])));
      let memo: PdkValue = kept;
      for (;;) {
        const method = (await readFrame(connection, PATIENCE_MS)).toString('latin1');
        if (method === '') {
          await readFrame(connection, PATIENCE_MS);
          pool.give(connection);
          return { end: 'returned', memo };
        }
        const args = decodeArguments(method, await readFrame(connection, PATIENCE_MS)) ?? [];
        if (method === 'kong.response.exit') {
          connection.socket.destroy();
          return { end: 'exit', memo };
        }
        if (method === 'kong.ctx.shared.set' && args[0] === 'ping_auth') memo = args[1];
        connection.socket.write(frame(encodeReply(method, kongSays(kind, method, args[0], memo))));
      }
    },
    close() {
      pool.destroy();
      client.destroy();
    },
  };
}
