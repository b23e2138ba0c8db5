/**
 * A Lua value as it crosses the plugin socket. Strings hold one character per byte (latin1); a Buffer is a byte string
 * too, used where bodies travel.
 */
export type PdkValue = undefined | null | boolean | number | string | Buffer | PdkValue[] | PdkTable;

export interface PdkTable {
  [key: string]: PdkValue;
}

export function isTable(value: PdkValue): value is PdkTable {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value);
}

/** Lua's `tostring` for what can be a header value. */
export function luaToString(value: PdkValue): string {
  if (typeof value === 'string') return value;
  if (Buffer.isBuffer(value)) return value.toString('latin1');
  if (value === undefined || value === null) return 'nil';
  // Lua shows the address of a table; any will do.
  return typeof value === 'object' ? 'table: 0x7f0000000000' : String(value);
}

export function toBytes(value: PdkValue): Buffer {
  if (Buffer.isBuffer(value)) return value;
  return Buffer.from(value === undefined || value === null ? '' : luaToString(value), 'latin1');
}
