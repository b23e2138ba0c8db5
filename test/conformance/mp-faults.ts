import type { Socket } from 'node:net';
import { isTable, type PdkValue } from '../../dev/kong/pdk/lua-values.js';
import { answer, FaultHost, type Faults, messages } from './fault-hosts.js';

function pdkCall(event: number, method: string, ...args: PdkValue[]): PdkValue {
  return { EventId: event, Data: { Method: method, Args: args } };
}

function returned(event: number): PdkValue {
  return { EventId: event, Data: 'ret' };
}

const GET_METHOD = 'kong.request.get_method';

/** What the server says to HandleEvent. */
const REPLIES: Readonly<Record<string, (id: PdkValue, event: number) => Buffer>> = {
  close_after_1_call: (id, event) => answer(id, pdkCall(event, GET_METHOD)),
  garbage: () => Buffer.of(0xc1, 0xc1, 0xc1, 0xc1),
  http_text: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
  wrong_msgid: (id, event) => answer(Number(id) + 1000, returned(event)),
  wrong_type: (id, event) => answer(id, returned(event), null, 0),
  error_string: (id) => answer(id, null, 'some server error'),
  error_string_after_1_call: (id, event) => answer(id, pdkCall(event, GET_METHOD)),
  error_object: (id) => answer(id, null, { message: 'an object' }),
  no_plugin_instance_always: (id) => answer(id, null, 'no plugin instance #3'),
  no_plugin_instance_once: (id) => answer(id, null, 'no plugin instance #3'),
  No_Plugin_Instance_upper: (id) => answer(id, null, 'No Plugin Instance found'),
  nil_result: (id) => answer(id, null),
  result_without_Data: (id, event) => answer(id, { EventId: event }),
  result_is_string: (id) => answer(id, 'a string'),
  call_without_method: (id, event) => answer(id, { EventId: event, Data: { Args: ['x'] } }),
  unknown_method: (id, event) => answer(id, pdkCall(event, 'kong.no.such')),
  half_reply: (id, event) => answer(id, returned(event)).subarray(0, 6),
  announce_4GB: (id) => Buffer.concat([answer(id, 'x').subarray(0, -2), Buffer.from('c6ffffffff', 'hex')]),
  notification_serverPid: (id, event) =>
    Buffer.concat([answer('serverPid', null, [1], 2), answer(id, returned(event))]),
  lua_error_set_method_FOO: (id, event) =>
    answer(id, pdkCall(event, 'kong.service.request.set_method', 'FOO')),
  lua_error_exit_99: (id, event) => answer(id, pdkCall(event, 'kong.response.exit', 99)),
};

const CLOSES: Readonly<Record<string, (id: PdkValue, event: number) => Buffer>> = {
  close_at_once: () => Buffer.alloc(0),
  half_close_at_once: () => Buffer.alloc(0),
  return_then_close: (id, event) => answer(id, returned(event)),
  half_reply_then_close: (id, event) => answer(id, returned(event)).subarray(0, 6),
};

/** A MsgPack:1 server with the recorded faults. */
export function mpFaultHost(faults: Faults): FaultHost {
  const keys: string[] = [];
  /** What is wrong with each event, for its later steps. */
  const events: string[] = [];
  return new FaultHost('MsgPack:1', (socket) => {
    // A test that ends destroys the connections.
    serve(socket, faults, keys, events).catch(() => undefined);
  });
}

async function serve(socket: Socket, faults: Faults, keys: string[], events: string[]): Promise<void> {
  for await (const message of messages(socket)) {
    const [, id, method, args] = Array.isArray(message) ? message : [];
    const given = Array.isArray(args) ? args[0] : undefined;
    if (method === 'plugin.StartInstance') {
      if (!start(socket, id, given, faults, keys)) return;
    } else if (method === 'plugin.HandleEvent') {
      const number = isTable(given) ? Number(given.InstanceId) : 0;
      const key = keys[number - 1];
      if (key === undefined) {
        socket.write(answer(id, null, 'no plugin instance #undefined'));
        continue;
      }
      const phase = isTable(given) && given.EventName === 'response' ? 'response' : 'access';
      const fault = faults.now(key, phase) ?? '';
      const event = events.push(fault) - 1;
      const last = CLOSES[fault];
      if (last !== undefined) return void socket.end(last(id, event));
      if (fault === 'silent') continue;
      socket.write(REPLIES[fault]?.(id, event) ?? answer(id, returned(event)));
    } else {
      const event = isTable(given) ? Number(given.EventId) : 0;
      const fault = events[event];
      if (fault === 'close_after_1_call') return void socket.end();
      const failed = fault === 'error_string_after_1_call';
      socket.write(failed ? answer(id, null, 'some server error') : answer(id, returned(event)));
    }
  }
}

/** False when the connection was closed. */
function start(socket: Socket, id: PdkValue, given: PdkValue, faults: Faults, keys: string[]): boolean {
  const config: { key: string } = JSON.parse(isTable(given) ? String(given.Config) : '{}');
  const fault = faults.now(config.key, 'start');
  if (fault === 'close') {
    socket.end();
    return false;
  }
  const number = keys.push(config.key);
  if (fault === 'error') socket.write(answer(id, null, 'start failed on purpose'));
  else socket.write(answer(id, fault === 'noid' ? { Name: 'x' } : { Name: 'x', Id: number }));
  return true;
}
