import { frame } from '../../dev/kong-connection/frames.js';

/**
 * Messages of ProtoBuf:1 for the yardstick: short, without a check, and independent of all others, so that it costs the same
 * whatever becomes of the server that is measured.
 */
export const NOTHING = Buffer.alloc(0);

/** The frame with which an event ends, before the one that answers Kong's call. */
export const END_OF_EVENT = frame(NOTHING);

/** Two frames: a PDK call's method and its argument. */
export function pdkCall(method: string, argument: Uint8Array = NOTHING): Buffer {
  return Buffer.concat([frame(method), frame(argument)]);
}

export function bytesField(field: number, value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint(field * 8 + 2), varint(bytes.length), bytes]);
}

export function intField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)]);
}

/** A `Value` with text. */
export function textValue(text: string): Buffer {
  return bytesField(3, text);
}

/** A `Struct` of headers: one value is text, more than one or none is a list. */
export function headersStruct(headers: Iterable<readonly [string, string | readonly string[]]>): Buffer {
  const entries: Buffer[] = [];
  for (const [name, value] of headers) {
    const values = typeof value === 'string' ? [value] : value;
    const encoded =
      values.length === 1
        ? textValue(values[0] ?? '')
        : bytesField(6, Buffer.concat(values.map((one) => bytesField(1, textValue(one)))));
    entries.push(bytesField(1, Buffer.concat([bytesField(1, name), bytesField(2, encoded)])));
  }
  return Buffer.concat(entries);
}

/** Calls `visit` for each field: a number for varints and doubles, a view for anything else. */
export function readFields(message: Buffer, visit: (field: number, value: Buffer | number) => void): void {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = next();
    const field = key >>> 3;
    if ((key & 7) === 0) visit(field, next());
    else if ((key & 7) === 1) {
      visit(field, message.readDoubleLE(at));
      at += 8;
    } else {
      const length = next();
      visit(field, message.subarray(at, at + length));
      at += length;
    }
  }
}

/** The field of that number; empty when it is absent or a number. */
export function bytesOf(message: Buffer, wanted: number): Buffer {
  let found: Buffer = NOTHING;
  readFields(message, (field, value) => {
    if (field === wanted && typeof value !== 'number') found = value;
  });
  return found;
}

/** The integer of that number; 0 when it is absent. */
export function intOf(message: Buffer, wanted: number): number {
  let found = 0;
  readFields(message, (field, value) => {
    if (field === wanted && typeof value === 'number') found = value;
  });
  return found;
}

/** A `Struct` of headers, each value by itself. */
export function eachHeader(struct: Buffer, visit: (name: string, value: string) => void): void {
  readFields(struct, (_, entry) => {
    let name = '';
    readFields(entry as Buffer, (field, part) => {
      if (field === 1) name = (part as Buffer).toString('latin1');
      else eachText(part as Buffer, (text) => visit(name, text));
    });
  });
}

function eachText(value: Buffer, visit: (text: string) => void): void {
  readFields(value, (kind, part) => {
    if (kind === 3) visit((part as Buffer).toString('latin1'));
    else if (kind === 6) readFields(part as Buffer, (_, one) => eachText(one as Buffer, visit));
  });
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
