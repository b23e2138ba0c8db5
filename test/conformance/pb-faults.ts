import type { Socket } from 'node:net';
import {
  bytesField,
  bytesOf,
  int32Of,
  int64Of,
  lastField,
  readFields,
  varintField,
} from '../../dev/kong/rpc/protobuf.js';
import { frame } from '../../dev/kong-connection/frames.js';
import { FaultHost, type Faults } from './fault-hosts.js';
import { FrameReader } from './pb-probe.js';
import { encodeCall, type ScriptCall } from './pb-probe-codec.js';

const EMPTY = frame('');
const UNDECODABLE = Buffer.from('ffffffffffff', 'hex');

function call(method: string, args: Buffer): Buffer {
  return Buffer.concat([frame(method), frame(args)]);
}

function scripted(...script: ScriptCall): Buffer {
  return call(script[0], encodeCall(script));
}

const GET_METHOD = scripted('kong.request.get_method');

/** Calls that are wrong in one way or another; if Kong answers, the event goes on to its end. */
const CALLS: Readonly<Record<string, Buffer>> = {
  unknown_method: call('kong.no.such', Buffer.alloc(0)),
  undecodable_args: call('kong.request.get_header', UNDECODABLE),
  undecodable_args_to_set_header: call('kong.service.request.set_header', UNDECODABLE),
  args_for_empty_input: call('kong.request.get_method', Buffer.from('0a03616263', 'hex')),
  set_header_without_value: call('kong.service.request.set_header', Buffer.from('0a03582d41', 'hex')),
  lua_error_set_method_FOO: scripted('kong.service.request.set_method', 'FOO'),
  lua_error_exit_99: scripted('kong.response.exit', 99),
};

/** Ends of an event that are wrong. */
const ENDS: Readonly<Record<string, (sequence: number) => Buffer>> = {
  wrong_sequence: (sequence) => Buffer.concat([EMPTY, frame(varintField(1, sequence + 100))]),
  empty_RpcReturn: () => Buffer.concat([EMPTY, EMPTY]),
  undecodable_RpcReturn: () => Buffer.concat([EMPTY, frame(UNDECODABLE)]),
  RpcReturn_without_empty_frame: (sequence) => frame(varintField(1, sequence)),
  garbage: () => Buffer.from('this is not a frame at all, and long enough to be sure'),
  announce_4GB: () => Buffer.from('ffffffff', 'hex'),
  announce_50MB: () => Buffer.from('00002003', 'hex'),
};

/** A ProtoBuf:1 server with the recorded faults. */
export function pbFaultHost(faults: Faults): FaultHost {
  const keys: string[] = [];
  return new FaultHost('ProtoBuf:1', (socket) => void serve(socket, faults, keys));
}

async function serve(socket: Socket, faults: Faults, keys: string[]): Promise<void> {
  const frames = new FrameReader(socket);
  for (let bytes = await frames.next(); bytes !== undefined; bytes = await frames.next()) {
    const message = readFields(bytes);
    const sequence = int64Of(lastField(message, 1));
    const start = lastField(message, 33);
    const event = lastField(message, 36);
    if (start !== undefined) {
      const { key } = JSON.parse(bytesOf(lastField(readFields(bytesOf(start)), 2)).toString());
      const id = keys.push(key);
      const fault = faults.now(key, 'start');
      if (fault === 'close') return void socket.end();
      const status = fault === 'noinst' ? [] : [bytesField(33, varintField(2, id))];
      socket.write(frame(Buffer.concat([varintField(1, sequence), ...status])));
    } else if (event !== undefined) {
      const fields = readFields(bytesOf(event));
      const key = keys[int32Of(lastField(fields, 1)) - 1] ?? '';
      const phase = bytesOf(lastField(fields, 2)).toString();
      const fault = faults.now(key, phase === 'access' ? 'access' : 'response');
      if (!(await handle(fault, sequence, socket, frames))) return;
    } else {
      socket.write(frame(varintField(1, sequence)));
    }
  }
}

/** False when the connection is of no more use. */
async function handle(
  fault: string | undefined,
  sequence: number,
  socket: Socket,
  frames: FrameReader,
): Promise<boolean> {
  const end = Buffer.concat([EMPTY, frame(varintField(1, sequence))]);
  const close = (last: Buffer): false => {
    socket.end(last);
    return false;
  };
  if (fault === 'close_at_once' || fault === 'half_close_at_once') return close(Buffer.alloc(0));
  if (fault === 'close_after_1_call') {
    socket.write(GET_METHOD);
    await frames.next();
    return close(Buffer.alloc(0));
  }
  if (fault === 'return_then_close') return close(end);
  if (fault === 'empty_frame_then_close') return close(EMPTY);
  const wrongCall = CALLS[fault ?? ''];
  if (wrongCall !== undefined) {
    socket.write(wrongCall);
    if ((await frames.next()) === undefined) return false;
  }
  // The recorded server slept for three seconds; a tenth shows the same.
  if (fault === 'sleep_3s') await new Promise((resolve) => setTimeout(resolve, 300));
  if (fault === 'silent') return true;
  socket.write(ENDS[fault ?? '']?.(sequence) ?? end);
  return true;
}
