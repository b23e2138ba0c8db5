import { inflateRawSync } from 'node:zlib';

/**
 * gzip (RFC 1952) and deflate (RFC 1950, or bare RFC 1951) read as simply as it goes: only the bare deflate data is left to
 * zlib, headers, checksums and what comes behind are read here. It imports nothing of src/.
 * @returns undefined when the bytes are not that, or not the whole of it
 */
export function readGzip(bytes: Buffer): Buffer | undefined {
  const members: Buffer[] = [];
  let at = 0;
  do {
    const start = afterGzipHead(bytes, at);
    const inflated = start === undefined ? undefined : inflate(bytes.subarray(start));
    if (start === undefined || inflated === undefined) return undefined;
    at = start + inflated.used + 8;
    if (at > bytes.length) return undefined;
    if (bytes.readUInt32LE(at - 8) !== crc32(inflated.content)) return undefined;
    if (bytes.readUInt32LE(at - 4) !== inflated.content.length) return undefined;
    members.push(inflated.content);
  } while (at < bytes.length);
  return Buffer.concat(members);
}

export function readDeflate(bytes: Buffer): Buffer | undefined {
  const [method = 0, flags = 0] = bytes;
  const isZlib = (method & 0x0f) === 8 && method >> 4 <= 7 && (method * 256 + flags) % 31 === 0;
  if (!isZlib) {
    const inflated = inflate(bytes);
    return inflated?.used === bytes.length ? inflated.content : undefined;
  }
  if ((flags & 0x20) !== 0) return undefined; // needs a dictionary that is not available
  const inflated = inflate(bytes.subarray(2));
  if (inflated === undefined || inflated.used + 6 !== bytes.length) return undefined;
  return bytes.readUInt32BE(bytes.length - 4) === adler32(inflated.content) ? inflated.content : undefined;
}

/** Where the deflate data of a member begins. */
function afterGzipHead(bytes: Buffer, start: number): number | undefined {
  const [id1, id2, method, flags = 0] = bytes.subarray(start, start + 4);
  if (id1 !== 0x1f || id2 !== 0x8b || method !== 8 || (flags & 0xe0) !== 0) return undefined;
  let at = start + 10;
  if ((flags & 4) !== 0) {
    if (at + 2 > bytes.length) return undefined;
    at += 2 + bytes.readUInt16LE(at);
  }
  // File name and comment end with a zero.
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const end = bytes.indexOf(0, at);
    if (end < 0) return undefined;
    at = end + 1;
  }
  if ((flags & 2) !== 0) {
    if (at + 2 > bytes.length || bytes.readUInt16LE(at) !== (crc32(bytes.subarray(start, at)) & 0xffff))
      return undefined;
    at += 2;
  }
  return at < bytes.length ? at : undefined;
}

function inflate(bytes: Buffer): { readonly content: Buffer; readonly used: number } | undefined {
  try {
    const { buffer, engine } = inflateRawSync(bytes, { info: true }) as unknown as {
      buffer: Buffer;
      engine: { bytesWritten: number };
    };
    return { content: buffer, used: engine.bytesWritten };
  } catch {
    return undefined;
  }
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0xedb88320;
  }
  return ~crc >>> 0;
}

function adler32(bytes: Buffer): number {
  let [a, b] = [1, 0];
  for (const byte of bytes) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}
