import { bytesField, doubleField, varintField } from '../../dev/kong/rpc/protobuf.js';

/** An argument as the recordings write it: JSON, with `{"$b64"}` for raw bytes and `{"$string_len"}` for long ones. */
export type ScriptValue = null | boolean | number | string | ScriptValue[] | { [key: string]: ScriptValue };

export type ScriptCall = [string, ...ScriptValue[]];

export function bytesOfScript(value: ScriptValue | undefined): Buffer {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    if (typeof value.$b64 === 'string') return Buffer.from(value.$b64, 'base64');
    if (typeof value.$string_len === 'number') {
      const letter = typeof value.head === 'string' ? (value.head[0] ?? 'Z') : 'Z';
      return Buffer.alloc(value.$string_len, letter);
    }
  }
  return Buffer.from(typeof value === 'string' ? value : '');
}

function isBytes(value: ScriptValue): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    ('$b64' in value || '$string_len' in value)
  );
}

/** google.protobuf.Value as a plugin server writes it. */
export function scriptValue(value: ScriptValue): Buffer {
  if (value === null) return varintField(1, 0);
  if (typeof value === 'number') return doubleField(2, value);
  if (typeof value === 'boolean') return varintField(4, value ? 1 : 0);
  if (typeof value === 'string' || isBytes(value)) return bytesField(3, bytesOfScript(value));
  if (Array.isArray(value)) return bytesField(6, listOf(value));
  return bytesField(5, structOf(value));
}

function structOf(table: { [key: string]: ScriptValue }): Buffer {
  const filled = typeof table.$keys === 'number' ? manyHeaders(table.$keys) : table;
  return Buffer.concat(
    Object.entries(filled).map(([key, value]) =>
      bytesField(1, Buffer.concat([bytesField(1, Buffer.from(key)), bytesField(2, scriptValue(value))])),
    ),
  );
}

/** The recordings shorten a table of many headers to its size. */
function manyHeaders(count: number): { [key: string]: ScriptValue } {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-H${i}`, String(i)]));
}

function listOf(values: readonly ScriptValue[]): Buffer {
  return Buffer.concat(values.map((value) => bytesField(1, scriptValue(value))));
}

const KV =
  /^kong\.(ctx\.shared\.set|log\.set_serialize_value|(response|service\.request)\.(set|add)_header)$/;
const INT = /\.(get_headers|get_query|set_status)$/;
const STRUCT = /\.(set_headers|set_query)$/;
const LOG = /^kong\.log\.(debug|info|notice|warn|err|crit|alert)$/;

/** The argument message of one PDK call. */
export function encodeCall([method, ...args]: ScriptCall): Buffer {
  const [first, second, third] = args;
  if (LOG.test(method)) return listOf(args);
  if (KV.test(method)) {
    return Buffer.concat([
      bytesField(1, bytesOfScript(first)),
      ...(second === undefined ? [] : [bytesField(2, scriptValue(second))]),
    ]);
  }
  if (method === 'kong.response.exit') {
    return Buffer.concat([
      ...(typeof first === 'number' ? [varintField(1, first)] : []),
      ...(second === undefined || second === null ? [] : [bytesField(2, bytesOfScript(second))]),
      ...(isRecord(third) ? [bytesField(3, structOf(third))] : []),
    ]);
  }
  if (method === 'kong.service.set_target') {
    return Buffer.concat([bytesField(1, bytesOfScript(first)), varintField(2, Number(second))]);
  }
  if (INT.test(method)) return typeof first === 'number' ? varintField(1, first) : Buffer.alloc(0);
  if (STRUCT.test(method)) return isRecord(first) ? structOf(first) : Buffer.alloc(0);
  return first === undefined ? Buffer.alloc(0) : bytesField(1, bytesOfScript(first));
}

function isRecord(value: ScriptValue | undefined): value is { [key: string]: ScriptValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
