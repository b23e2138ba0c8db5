import { bytesOf, int64Of, readFields } from '../../dev/kong/rpc/protobuf.js';
import type { Names } from './names.js';
import type { RecordedValue } from './recordings.js';

/** Reply frames of Kong, decoded as the recordings write them. */

const NOTHING: RecordedValue = { $nothing: true };

export function decodePbReply(method: string, frame: Buffer, names: Names): RecordedValue {
  if (method.endsWith('.get_headers') || method === 'kong.request.get_query') {
    // An empty table and an empty frame are the same bytes.
    return frame.length === 0 ? NOTHING : struct(frame, names);
  }
  if (frame.length === 0) return NOTHING;
  if (method === 'kong.ctx.shared.get') return value(frame, names);
  if (method === 'kong.router.get_route') return route(frame, names);
  if (method === 'kong.router.get_service') return service(frame, names);
  const field = readFields(frame).at(-1);
  if (field === undefined) return NOTHING;
  if (method === 'kong.request.get_raw_body') {
    const kinds: Readonly<Record<number, string>> = { 1: 'content', 2: 'body_filepath', 3: 'error' };
    return { [kinds[field.number] ?? '?']: names.body(bytesOf(field.value)) };
  }
  if (typeof field.value === 'number') return field.value;
  if (typeof field.value === 'bigint') {
    if (method.endsWith('.is_trusted')) return field.value !== 0n;
    const number = int64Of(field.value);
    return method.endsWith('_port') ? names.port(number) : number;
  }
  return text(field.value, names, method === 'kong.nginx.get_var');
}

function text(bytes: Buffer, names: Names, mayBePort = false): RecordedValue {
  const plain = bytes.toString('latin1');
  if (mayBePort && /^\d+$/.test(plain)) return String(names.port(Number(plain)));
  return names.body(bytes) as RecordedValue;
}

function value(bytes: Buffer, names: Names): RecordedValue {
  const field = readFields(bytes).at(-1);
  if (field === undefined) return { $value_without_kind: true };
  if (field.number === 1) return { $null_value: int64Of(field.value) };
  if (typeof field.value === 'number') return field.value;
  if (field.number === 4) return field.value !== 0n;
  const inner = bytesOf(field.value);
  if (field.number === 3) return text(inner, names);
  return field.number === 5 ? struct(inner, names) : list(inner, names);
}

function struct(bytes: Buffer, names: Names): RecordedValue {
  const table: Record<string, RecordedValue> = {};
  for (const { value: entry } of readFields(bytes)) {
    const fields = readFields(bytesOf(entry));
    const key = bytesOf(fields.find((field) => field.number === 1)?.value).toString('latin1');
    table[key] = value(bytesOf(fields.find((field) => field.number === 2)?.value), names);
  }
  return table;
}

function list(bytes: Buffer, names: Names): RecordedValue {
  return readFields(bytes).map((field) => value(bytesOf(field.value), names));
}

function record(
  bytes: Buffer,
  names: Names,
  fieldNames: Readonly<Record<number, string>>,
  lists: readonly number[],
  booleans: readonly number[],
): Record<string, RecordedValue> {
  const table: Record<string, RecordedValue> = {};
  for (const { number, value: raw } of readFields(bytes)) {
    const name = fieldNames[number] ?? `field ${number}`;
    const plain: RecordedValue =
      typeof raw === 'bigint'
        ? booleans.includes(number)
          ? raw !== 0n
          : int64Of(raw)
        : text(bytesOf(raw), names);
    if (!lists.includes(number)) table[name] = plain;
    else table[name] = [...((table[name] as RecordedValue[] | undefined) ?? []), plain];
  }
  return table;
}

function route(bytes: Buffer, names: Names): RecordedValue {
  const fieldNames = {
    1: 'id',
    2: 'created_at',
    3: 'updated_at',
    4: 'name',
    5: 'protocols',
    6: 'methods',
    7: 'hosts',
    8: 'paths',
    10: 'https_redirect_status_code',
    12: 'strip_path',
    13: 'preserve_host',
    18: 'service',
  };
  const table = record(bytes, names, fieldNames, [5, 6, 7, 8], [12, 13]);
  return { ...table, service: { id: { $any: 'string' } } };
}

function service(bytes: Buffer, names: Names): RecordedValue {
  const fieldNames = {
    1: 'id',
    2: 'created_at',
    3: 'updated_at',
    4: 'name',
    6: 'protocol',
    7: 'host',
    8: 'port',
    9: 'path',
    10: 'connect_timeout',
    11: 'write_timeout',
    12: 'read_timeout',
  };
  return record(bytes, names, fieldNames, [], []);
}
