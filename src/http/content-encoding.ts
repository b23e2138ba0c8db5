import { isUtf8 } from 'node:buffer';
import * as zlib from 'node:zlib';
import type { HeaderList } from './header-list.js';

/** A body without its codings, or why there is none. */
export type Uncoded =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'unknown_coding' | 'broken_coding' | 'ambiguous_coding'; readonly detail: string }
  /** Decoded it would be over the limit. */
  | { readonly kind: 'too_large' };

/** Larger ones are decoded in zlib's threads: others wait while this one works. */
const SYNC_CODED_BYTES = 4096;
/** A few bytes may stand for megabytes, so the output has a bound of its own. */
const SYNC_DECODED_BYTES = 65_536;
/** Nobody needs more than two, and each costs another round. */
const MAX_CONTENT_ENCODINGS = 4;
/** zlib's threads hand over this much at a time; each time costs a round through the event loop. */
const CHUNK_BYTES = 1_048_576;
/** What text usually expands to. */
const USUAL_EXPANSION = 8;

interface Decoded {
  readonly buffer: Buffer;
  /** Says in `bytesWritten` how much of the input was used. */
  readonly engine: { readonly bytesWritten: number };
}
type Options = Readonly<Record<string, unknown>>;

/** One of zlib's, as it is with `info: true`, which its types leave out. */
interface Decoder {
  readonly now: (bytes: Uint8Array, options: Options) => Decoded;
  readonly later: (
    bytes: Uint8Array,
    options: Options,
    done: (error: Error | null, decoded: Decoded) => void,
  ) => void;
  readonly options: Options;
}

const GZIP = decoder('gunzip');
const ZLIB = decoder('inflate');
const RAW_DEFLATE = decoder('inflateRaw');
const BROTLI = decoder('brotliDecompress');
// Node 20 has none. RFC 9659 allows a window of 8 MiB; one of 128 would be memory that no limit counts.
const ZSTD = 'zstdDecompress' in zlib ? decoder('zstdDecompress', { [zstdParameter()]: 23 }) : undefined;

const NONE: readonly string[] = [];

/**
 * Codings of a body in the order in which they were applied, in lower case, without `identity`. A server that reads
 * headers as CGI variables takes `Content_Encoding` for the same header, so it counts as well.
 */
export function contentEncodingsOf(headers: Pick<HeaderList, 'getAll'>): readonly string[] {
  const values = headers.getAll('content-encoding');
  const others = headers.getAll('content_encoding');
  if (values.length === 0 && others.length === 0) return NONE;
  return [...values, ...others]
    .flatMap((value) => value.split(','))
    .map((contentEncoding) => contentEncoding.trim().toLowerCase())
    .filter((contentEncoding) => contentEncoding !== '' && contentEncoding !== 'identity');
}

/**
 * Undoes the codings, the last one first. A truncated stream, or one with anything behind it, is broken. Several gzip
 * members are read as one text, as RFC 1952 says.
 * @param maxBytes of the decoded body; no more than that is ever decoded
 * @returns at once for a small body; a promise when zlib's threads do it
 * @throws Error when memory is out
 */
export function decodeContent(
  bytes: Uint8Array,
  contentEncodings: readonly string[],
  maxBytes: number,
): Uncoded | Promise<Uncoded> {
  if (contentEncodings.length > MAX_CONTENT_ENCODINGS) {
    return { kind: 'unknown_coding', detail: `${contentEncodings.length} content codings in a row` };
  }
  const unknown = contentEncodings.find((contentEncoding) => decoderOf(contentEncoding, bytes) === undefined);
  if (unknown !== undefined) {
    return { kind: 'unknown_coding', detail: `content coding ${JSON.stringify(unknown.slice(0, 40))}` };
  }
  // Bytes can be made that are one text when decoded and another one as they stand, for whoever ignores the header.
  // Those of gzip, zstd and zlib's usual levels never are UTF-8; short ones of the others hardly ever.
  if (contentEncodings.length > 0 && isUtf8(bytes)) {
    return {
      kind: 'ambiguous_coding',
      detail: `the body is text, and ${contentEncodings.join(', ')} as well`,
    };
  }
  return undoFrom(bytes, contentEncodings, maxBytes);
}

function undoFrom(
  bytes: Uint8Array,
  contentEncodings: readonly string[],
  maxBytes: number,
): Uncoded | Promise<Uncoded> {
  const contentEncoding = contentEncodings.at(-1);
  if (contentEncoding === undefined) return { kind: 'bytes', bytes };
  const rest = contentEncodings.slice(0, -1);
  // What is still coded may be a little larger than what it stands for.
  const most = rest.length === 0 ? maxBytes : maxBytes + Math.ceil(maxBytes / 256) + 4096;
  const next = (uncoded: Uncoded) =>
    uncoded.kind === 'bytes' ? undoFrom(uncoded.bytes, rest, maxBytes) : uncoded;
  const uncoded = undo(bytes, contentEncoding, most);
  return uncoded instanceof Promise ? uncoded.then(next) : next(uncoded);
}

function undo(bytes: Uint8Array, contentEncoding: string, maxBytes: number): Uncoded | Promise<Uncoded> {
  const decoder = decoderOf(contentEncoding, bytes);
  // Node 22 takes a truncated zstd frame for a whole one, without a word.
  if (decoder === undefined || (decoder === ZSTD && !isZstdFrame(bytes))) return broken(contentEncoding);
  if (bytes.length <= SYNC_CODED_BYTES) {
    const uncoded = undoNow(bytes, contentEncoding, decoder, Math.min(maxBytes, SYNC_DECODED_BYTES));
    if (uncoded.kind !== 'too_large' || maxBytes <= SYNC_DECODED_BYTES) return uncoded;
  }
  return new Promise((resolve, reject) => {
    const expected = Math.max(SYNC_DECODED_BYTES, bytes.length * USUAL_EXPANSION);
    const chunkSize = Math.min(CHUNK_BYTES, Math.max(maxBytes, 64), expected);
    const options = { ...decoder.options, info: true, chunkSize, maxOutputLength: maxBytes };
    decoder.later(bytes, options, (error, decoded) => {
      try {
        resolve(error === null ? whole(decoded, bytes, contentEncoding) : failed(error, contentEncoding));
      } catch (fault) {
        reject(fault);
      }
    });
  });
}

function undoNow(bytes: Uint8Array, contentEncoding: string, decoder: Decoder, maxBytes: number): Uncoded {
  try {
    return whole(
      decoder.now(bytes, { ...decoder.options, info: true, maxOutputLength: maxBytes }),
      bytes,
      contentEncoding,
    );
  } catch (error) {
    return failed(error, contentEncoding);
  }
}

function whole({ buffer, engine }: Decoded, coded: Uint8Array, contentEncoding: string): Uncoded {
  return engine.bytesWritten === coded.length ? { kind: 'bytes', bytes: buffer } : broken(contentEncoding);
}

function failed(error: unknown, contentEncoding: string): Uncoded {
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
  if (code === 'ERR_BUFFER_TOO_LARGE') return { kind: 'too_large' };
  // zlib's own complaint about the data; anything else (no memory) is no fault of the body.
  if (code === undefined || /MEM|ALLOC/i.test(code)) throw error;
  return broken(contentEncoding);
}

function broken(contentEncoding: string): Uncoded {
  return { kind: 'broken_coding', detail: `the body is not ${contentEncoding}, or not the whole of it` };
}

function decoderOf(contentEncoding: string, bytes: Uint8Array): Decoder | undefined {
  if (contentEncoding === 'gzip' || contentEncoding === 'x-gzip') return GZIP;
  if (contentEncoding === 'deflate') return hasZlibHeader(bytes) ? ZLIB : RAW_DEFLATE;
  if (contentEncoding === 'br') return BROTLI;
  return contentEncoding === 'zstd' ? ZSTD : undefined;
}

/** `deflate` means zlib (RFC 9110, section 8.4.1.2), but some send bare deflate data. */
function hasZlibHeader(bytes: Uint8Array): boolean {
  const [first = 0, second = 0] = bytes;
  return (first & 0x8f) === 0x08 && ((first << 8) | second) % 31 === 0;
}

function decoder(name: string, params?: Readonly<Record<number, number>>): Decoder {
  const functions = zlib as unknown as Readonly<Record<string, unknown>>;
  return {
    now: functions[`${name}Sync`] as Decoder['now'],
    later: functions[name] as Decoder['later'],
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
