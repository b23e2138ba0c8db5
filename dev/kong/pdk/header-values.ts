import { PdkError } from './pdk-error.js';
import { isTable, luaToString, type PdkTable, type PdkValue } from './pdk-value.js';

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
