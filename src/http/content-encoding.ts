import { isUtf8 } from 'node:buffer';
import * as zlib from 'node:zlib';
import { BodyFault } from './body-fault.js';
import type { MemoryReservation } from './memory-reservation.js';

/** Larger ones are decoded in zlib's threads: others are served while this one works. */
const SYNC_ENCODED_BYTES = 4096;
/** A few bytes may stand for megabytes, so the output has a bound of its own. */
const SYNC_DECODED_BYTES = 65_536;
/** Above that size a body may be this many times as large decoded, as with Envoy: text compresses to a tenth or so. */
const MAX_RATIO = 100;
const RATIO_COUNTS_FROM = 65_536;
/** Two are more than usual, and each costs another round. */
const MAX_CONTENT_ENCODINGS = 4;
/** zlib's threads hand over this much at a time; each time costs a round through the event loop. */
const CHUNK_BYTES = 262_144;

type Options = Readonly<Record<string, unknown>>;

/** One of zlib's, as it is with `info: true`, which its types leave out. */
interface Decoder {
  readonly now: (bytes: Uint8Array, options: Options) => { buffer: Buffer; engine: Engine };
  readonly open: (options: Options) => AsyncIterable<Buffer> & Engine & { end(bytes: Uint8Array): void };
  readonly options: Options;
}

/** Says in `bytesWritten` how much of the input was used. */
interface Engine {
  readonly bytesWritten: number;
}

const GZIP = decoder('gunzip');
const ZLIB = decoder('inflate');
const RAW_DEFLATE = decoder('inflateRaw');
const BROTLI = decoder('brotliDecompress');
// Node 20 has none. RFC 9659 allows a window of 8 MiB; one of 128 would be memory that no limit counts.
const ZSTD = 'zstdDecompress' in zlib ? decoder('zstdDecompress', { [zstdParameter()]: 23 }) : undefined;

/**
 * Decodes a body, the last encoding first. A truncated stream, or one with anything behind it, is broken. Several gzip
 * members are read as one text, as RFC 1952 says. What is decoded is reserved before it is made.
 * @param maxBytes of the decoded body; no more than that is ever decoded
 * @returns the decoded body, whose memory stays reserved
 * @throws BodyFault; PingAuthError when there is no memory for it; Error when zlib has none
 */
export async function decodeContent(
  bytes: Uint8Array,
  encodings: readonly string[],
  maxBytes: number,
  memory: MemoryReservation,
): Promise<Uint8Array> {
  if (encodings.length > MAX_CONTENT_ENCODINGS) {
    throw new BodyFault('unknown_encoding', `${encodings.length} content encodings in a row`);
  }
  const unknown = encodings.find((encoding) => decoderOf(encoding, bytes) === undefined);
  if (unknown !== undefined) {
    throw new BodyFault('unknown_encoding', `content encoding ${JSON.stringify(unknown.slice(0, 40))}`);
  }
  // Bytes can be made that are one text when decoded and another one as they stand, for whoever ignores the header.
  // Those of gzip, zstd and zlib's usual levels never are UTF-8; short ones of the others hardly ever.
  if (isUtf8(bytes)) {
    throw new BodyFault('ambiguous_encoding', `the body is text, and ${encodings.join(', ')} as well`);
  }
  const maxExpanded = Math.max(RATIO_COUNTS_FROM, MAX_RATIO * bytes.length);
  let decoded = bytes;
  for (const [at, encoding] of [...encodings].reverse().entries()) {
    // What is still encoded may be a little larger than what it stands for.
    const isLast = at === encodings.length - 1;
    const most = isLast ? maxBytes : maxBytes + Math.ceil(maxBytes / 256) + 4096;
    const limit = maxExpanded < most ? `${MAX_RATIO} times as large` : `${maxBytes} bytes`;
    const before = decoded;
    try {
      decoded = await decodeOne(encoding, {
        bytes: before,
        maxBytes: Math.min(most, maxExpanded),
        tooLarge: `more than ${limit} without ${encoding}`,
        memory,
      });
    } finally {
      if (before !== bytes) memory.shrink(before.length);
    }
  }
  return decoded;
}

/** Bytes without one more of their encodings. */
interface Encoded {
  readonly bytes: Uint8Array;
  /** Of the decoded bytes. */
  readonly maxBytes: number;
  /** Why there is no more. */
  readonly tooLarge: string;
  readonly memory: MemoryReservation;
}

async function decodeOne(encoding: string, encoded: Encoded): Promise<Uint8Array> {
  const { bytes } = encoded;
  const decoder = decoderOf(encoding, bytes);
  // Node 22 takes a truncated zstd frame for a whole one.
  if (decoder === undefined || (decoder === ZSTD && !isZstdFrame(bytes))) throw broken();
  try {
    // Brotli's decoder fills a window of up to 16 MiB before its first output: 14 bytes can take 30 ms.
    const isSmall = bytes.length <= SYNC_ENCODED_BYTES && decoder !== BROTLI;
    return (isSmall && decodeNow(decoder, encoded)) || (await decodeInSteps(decoder, encoded));
  } catch (thrown) {
    const code = codeOf(thrown);
    // zlib's own error about the data; anything else (no memory) is no fault of the body.
    throw /^(?:Z_|ERR_|ZSTD_)/.test(code) && !/MEM|ALLOC/i.test(code) ? broken() : thrown;
  }
}

/** undefined for a body that turns out to be large. */
function decodeNow(decoder: Decoder, { bytes, maxBytes, tooLarge, memory }: Encoded): Uint8Array | undefined {
  const most = Math.min(maxBytes, SYNC_DECODED_BYTES);
  memory.grow(most);
  let used = 0;
  try {
    const { buffer, engine } = decoder.now(bytes, { ...decoder.options, info: true, maxOutputLength: most });
    if (engine.bytesWritten !== bytes.length) throw broken();
    used = buffer.length;
    return buffer;
  } catch (thrown) {
    if (codeOf(thrown) !== 'ERR_BUFFER_TOO_LARGE') throw thrown;
    if (most === maxBytes) throw new BodyFault('too_large', tooLarge);
    return undefined;
  } finally {
    memory.shrink(most - used);
  }
}

/** The decoder makes one chunk while another one waits to be taken over, so both are reserved ahead. */
async function decodeInSteps(decoder: Decoder, encoded: Encoded): Promise<Uint8Array> {
  const { bytes, maxBytes, tooLarge, memory } = encoded;
  const chunkSize = Math.min(CHUNK_BYTES, Math.max(SYNC_DECODED_BYTES, 8 * bytes.length));
  const ahead = 2 * chunkSize;
  memory.grow(ahead);
  const chunks: Buffer[] = [];
  let length = 0;
  let reserved = 0;
  try {
    const stream = decoder.open({ ...decoder.options, chunkSize, highWaterMark: chunkSize });
    stream.end(bytes);
    // The loop destroys the stream when it is left early.
    for await (const chunk of stream) {
      length += chunk.length;
      if (length > maxBytes) throw new BodyFault('too_large', tooLarge);
      memory.grow(chunk.length);
      reserved = length;
      chunks.push(chunk);
    }
    if (stream.bytesWritten !== bytes.length) throw broken();
    const [first = EMPTY] = chunks;
    if (chunks.length <= 1) {
      reserved = 0;
      return first;
    }
    memory.grow(length);
    return Buffer.concat(chunks, length);
  } finally {
    memory.shrink(ahead + reserved);
  }
}

const EMPTY = Buffer.alloc(0);

/** Of an error of Node.js; '' for others. */
function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : '';
}

function broken(): BodyFault {
  const detail = 'the body is not what Content-Encoding says, or not the whole of it';
  return new BodyFault('broken_encoding', detail);
}

function decoderOf(encoding: string, bytes: Uint8Array): Decoder | undefined {
  if (encoding === 'gzip' || encoding === 'x-gzip') return GZIP;
  if (encoding === 'deflate') return hasZlibHeader(bytes) ? ZLIB : RAW_DEFLATE;
  if (encoding === 'br') return BROTLI;
  return encoding === 'zstd' ? ZSTD : undefined;
}

/** `deflate` means zlib (RFC 9110, section 8.4.1.2), but some send bare deflate data. */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x8f) === 0x08 && ((first << 8) | second) % 31 === 0;
}

function decoder(name: string, params?: Readonly<Record<number, number>>): Decoder {
  const functions = zlib as unknown as Readonly<Record<string, unknown>>;
  const [initial = '', ...rest] = name;
  return {
    now: functions[`${name}Sync`] as Decoder['now'],
    open: functions[`create${initial.toUpperCase()}${rest.join('')}`] as Decoder['open'],
    options: params === undefined ? {} : { params },
  };
}

function zstdParameter(): number {
  return (zlib.constants as unknown as Readonly<Record<string, number>>).ZSTD_d_windowLogMax ?? 0;
}

const ZSTD_MAGIC = 0xfd2fb528;
/** Length of a field by the two bits that stand for it. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/**
 * Whether the bytes are one whole zstd frame with nothing behind it (RFC 8878, section 3.1.1), going by the lengths it
 * announces. Several frames, and skippable ones, are none: readers differ about them.
 */
export function isZstdFrame(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== ZSTD_MAGIC) return false;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const sizeBytes = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0;
  let at = 5 + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  // A frame in a single segment has no window, but always its size.
  at += isSingleSegment ? Math.max(sizeBytes, 1) : 1 + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return false;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === 3) return false;
    // A run of one byte stands there once, whatever its length.
    at += 3 + (type === 1 ? 1 : header >> 3);
  }
  return at + (hasChecksum ? 4 : 0) === bytes.length;
}
