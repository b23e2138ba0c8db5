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

/** A PDK call raised a Lua error: the client gets Kong's 500. */
export class PdkError extends Error {
  override readonly name = 'PdkError';
}

/** `kong.response.exit` was called: nothing of this plugin or of later ones runs any more. */
export class ExitSignal extends Error {
  override readonly name = 'ExitSignal';
  constructor(
    readonly status: number,
    readonly body: Buffer,
    /** MsgPack without a body: Kong sends its own answer for that status instead of an empty one. */
    readonly bare: boolean = false,
  ) {
    super(`exit ${status}`);
  }
}

/** Kong sends an empty header as one space. */
function normalise(value: PdkValue): string {
  const text = luaToString(value);
  return text === '' ? ' ' : text;
}

/** The values a single header is set to: a list as it is, a table without a list part as none. */
export function headerValues(value: PdkValue): string[] {
  if (Array.isArray(value)) return value.map(normalise);
  return isTable(value) ? [] : [normalise(value)];
}

/** Name → values of a whole table. @throws PdkError for what Kong refuses. */
export function headerTable(value: PdkValue): [string, string[]][] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.length === 0) return [];
  if (!isTable(value)) throw new PdkError('headers must be a table');
  // Over MsgPack null is nil, and a nil in a Lua table is not there; ProtoBuf's null is a string by now.
  const there = Object.entries(value satisfies PdkTable).filter(([, entry]) => entry !== null);
  return there.map(([name, entry]) => {
    if (Array.isArray(entry)) {
      for (const item of entry) {
        if (typeof item === 'string' || Buffer.isBuffer(item)) continue;
        const type = typeof item === 'object' ? 'table' : typeof item;
        throw new PdkError(`invalid header value in array "${name}": got ${type}, expected string`);
      }
    }
    return [name, headerValues(entry)];
  });
}
