import { isTable, type PdkValue } from '../kong/pdk/lua-values.js';
import { decodeMsgpack, encodeMsgpack, MoreBytes } from '../kong/rpc/msgpack.js';
import { decodeArguments, encodeReply } from '../kong/rpc/pb-methods.js';
import { ConnectionPool, frame, readFrame } from '../kong/rpc/plugin-client.js';
import { bytesField, varintField } from '../kong/rpc/protobuf.js';
import { ProtobufClient } from '../kong/rpc/protobuf-client.js';

/** What becomes of a request in the soak. */
export const KINDS = ['allowed', 'denied', 'filtered'] as const;
export type Kind = (typeof KINDS)[number];

const HEADERS = {
  host: 'api.example.com',
  accept: 'application/json',
  authorization: `Bearer ${'eyJhbGciOiJSUzI1NiJ9'.repeat(10)}`,
  cookie: 'session=3f2a8c1e9b; theme=dark',
  'user-agent': 'soak',
  'x-two': ['a', 'b'],
};

/** Kong's answer to a PDK call; `memo` is what the access phase kept. */
export function kongSays(kind: Kind, method: string, name: PdkValue, requestContext: PdkValue): PdkValue {
  switch (method) {
    case 'kong.client.get_forwarded_ip':
      return '192.0.2.7';
    case 'kong.client.get_port':
      return 40368;
    case 'kong.request.get_method':
      return 'GET';
    case 'kong.request.get_forwarded_scheme':
      return 'http';
    case 'kong.request.get_forwarded_host':
      return 'api.example.com';
    case 'kong.request.get_forwarded_port':
      return 8000;
    case 'kong.request.get_path':
      return `/${kind}`;
    case 'kong.request.get_raw_query':
      return 'page=2';
    case 'kong.request.get_http_version':
      return 1.1;
    case 'kong.request.get_headers':
      return HEADERS;
    case 'kong.nginx.get_var':
      return name === 'kong_request_id' ? 'f386ef04c49c864b7cbe977b439cdb0e' : undefined;
    case 'kong.response.get_status':
      return 200;
    case 'kong.response.get_headers':
      return { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] };
    case 'kong.service.response.get_raw_body':
      return Buffer.from('hello');
    case 'kong.ctx.shared.get':
      return requestContext;
    default:
      return undefined;
  }
}

/** Kong's end of the socket, with as little work in it as can be: the plugin server is what is measured. */
export interface KongSide {
  /** @returns the instance's id */
  start(config: object): Promise<number>;
  /** Runs one phase. An exit ends the connection, as in Kong. */
  event(id: number, phase: 'access' | 'response', kind: Kind, requestContext: PdkValue): Promise<EventEnd>;
  close(): void;
}

export interface EventEnd {
  readonly end: 'returned' | 'exit';
  /** What the plugin put into kong.ctx.shared. */
  readonly requestContext: PdkValue;
}

const EXPECTED = {
  allowed: ['returned', 'returned'],
  denied: ['exit'],
  filtered: ['returned', 'exit'],
} as const;

/** One request of the kind. @throws Error when the plugin does anything else than it should. */
export async function oneRequest(kong: KongSide, id: number, kind: Kind): Promise<void> {
  const access = await kong.event(id, 'access', kind, undefined);
  const ends = [access.end];
  if (access.end === 'returned')
    ends.push((await kong.event(id, 'response', kind, access.requestContext)).end);
  if (ends.join() !== EXPECTED[kind].join()) throw new Error(`${kind}: ${ends.join()}`);
}

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
      let requestContext: PdkValue = kept;
      for (;;) {
        const method = (await readFrame(connection, PATIENCE_MS)).toString('latin1');
        if (method === '') {
          await readFrame(connection, PATIENCE_MS);
          pool.give(connection);
          return { end: 'returned', requestContext };
        }
        const args = decodeArguments(method, await readFrame(connection, PATIENCE_MS)) ?? [];
        if (method === 'kong.response.exit') {
          connection.socket.destroy();
          return { end: 'exit', requestContext };
        }
        if (method === 'kong.ctx.shared.set' && args[0] === 'ping_auth') requestContext = args[1];
        connection.socket.write(frame(encodeReply(method, kongSays(kind, method, args[0], requestContext))));
      }
    },
    close() {
      pool.destroy();
      client.destroy();
    },
  };
}

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
      let requestContext: PdkValue = kept;
      let step = await call('plugin.HandleEvent', [{ InstanceId: id, EventName: phase }]);
      for (;;) {
        const { EventId, Data } = isTable(step) ? step : {};
        if (Data === 'ret') return { end: 'returned', requestContext };
        if (!isTable(Data) || typeof Data.Method !== 'string') throw new Error(`unexpected step in ${kind}`);
        const args = Array.isArray(Data.Args) ? Data.Args : [];
        // Kong never comes back from an exit, so the server is told nothing more of this event.
        if (Data.Method === 'kong.response.exit') return { end: 'exit', requestContext };
        if (Data.Method === 'kong.ctx.shared.set' && args[0] === 'ping_auth') requestContext = args[1];
        const value = kongSays(kind, Data.Method, args[0], requestContext);
        step = await call('plugin.Step', [{ EventId, ...(value === undefined ? {} : { Data: value }) }]);
      }
    },
    close: () => pool.destroy(),
  };
}
