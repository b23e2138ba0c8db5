import { Buffer } from 'node:buffer';
import { BodyFault } from './body-fault.js';
import { decodeText } from './charset.js';
import { type MediaType, mediaType, NO_TYPE } from './media-type.js';
import type { MemoryReservation } from './memory-reservation.js';
import { asBuffer, LARGE_BYTES, nextTurn } from './text.js';

/** A part of form data. */
export interface Part {
  /** A file, or of a type that is not text. */
  readonly isOpaque: boolean;
  readonly type: MediaType;
  /** `_charset_` (RFC 7578, section 4.6): its content is the charset of the parts that name none. */
  readonly isCharset: boolean;
  readonly content: Uint8Array;
}

/** Servers stop at some number, too (PHP at 1000 variables). Megabytes of empty parts would take seconds to read. */
const MAX_PARTS = 1000;
const MAX_PART_HEAD = 16_384;
/** RFC 2046, section 5.1.1. */
const MAX_BOUNDARY = 70;

const FILE_NAME = /[;\s]filename\*?\s*=/i;
/** A file name in there is none to most readers, so the part is a field. */
const QUOTED = /"(?:[^"\\]|\\.)*"/g;
const CHARSET_FIELD = /[;\s]name\s*=\s*"?_charset_(?:["\s;]|$)/i;
const MAX_CHARSET = 40;

/**
 * The parts of multipart/form-data (RFC 7578, RFC 2046), read strictly.
 * @returns undefined when the body is not well-formed: another reader might find other parts in it
 * @throws BodyFault `too_large` for more than 1000 parts
 */
export function multipartParts(body: Uint8Array, boundary = ''): readonly Part[] | undefined {
  if (boundary === '' || boundary.length > MAX_BOUNDARY) return undefined;
  const bytes = asBuffer(body);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // Some clients put a line end before the first one.
  const start = bytes.indexOf(delimiter.subarray(2));
  if (start !== 0 && !(start === 2 && bytes.indexOf('\r\n') === 0)) return undefined;
  const parts: Part[] = [];
  for (let at = start + delimiter.length - 2; ; ) {
    const next = bytes.toString('latin1', at, at + 2);
    if (next === '--') return parts;
    if (next !== '\r\n') return undefined;
    if (parts.length === MAX_PARTS)
      throw new BodyFault('too_large', `a form of more than ${MAX_PARTS} parts`);
    const end = bytes.indexOf(delimiter, at);
    if (end < 0) return undefined;
    const part = readPart(bytes.subarray(at, end));
    if (part === undefined) return undefined;
    parts.push(part);
    at = end + delimiter.length;
  }
}

/**
 * Each part that has a charset, its own or that of `_charset_`, has to be in it the text that its bytes are as UTF-8.
 * @throws BodyFault when one is not, and when the body is not well-formed
 */
export async function checkPartCharsets(
  body: Uint8Array,
  boundary: string | undefined,
  memory: MemoryReservation,
): Promise<void> {
  const parts = multipartParts(body, boundary);
  if (parts === undefined) throw ambiguous();
  const common = parts
    .filter(({ isCharset }) => isCharset)
    .map(({ content }) => asBuffer(content).toString('latin1', 0, MAX_CHARSET).trim().toLowerCase());
  let sinceTurn = 0;
  for (const { isOpaque, type, content } of parts) {
    sinceTurn += content.length;
    if (sinceTurn > LARGE_BYTES) {
      await nextTurn();
      sinceTurn = 0;
    }
    const charsets = type.charsets.length > 0 ? type.charsets : common;
    if (isOpaque || charsets.length === 0) continue;
    try {
      // For a form, the text in another charset has to be that in UTF-8.
      await decodeText(content, 'form', charsets, memory);
    } catch (thrown) {
      throw thrown instanceof BodyFault ? ambiguous() : thrown;
    }
  }
}

function ambiguous(): BodyFault {
  return new BodyFault('ambiguous_charset', 'a part of the form names a charset and is another text in it');
}

/**
 * @param bytes from the line end after the delimiter to the one before the next
 * @returns undefined when its header lines can be read in two ways: folded, with bare line ends, or with two types
 */
function readPart(bytes: Buffer): Part | undefined {
  const end = bytes.subarray(0, MAX_PART_HEAD).indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const fields = new Map<string, string>();
  // A part without header lines ends its head with the delimiter's own line end.
  for (const line of end < 2 ? [] : bytes.toString('latin1', 2, end).split('\r\n')) {
    const [name, value] = readField(line);
    if (/^[ \t]|[\r\n]/.test(line) || (name.startsWith('content-') && fields.has(name))) return undefined;
    fields.set(name, value);
  }
  const declared = fields.get('content-type');
  const disposition = fields.get('content-disposition') ?? '';
  const type = declared === undefined ? NO_TYPE : mediaType(declared);
  const isFile = FILE_NAME.test(disposition.replace(QUOTED, ''));
  const isOpaque = type.kind === 'opaque' || type.kind === 'multipart' || isFile;
  return { isOpaque, type, isCharset: CHARSET_FIELD.test(disposition), content: bytes.subarray(end + 4) };
}

function readField(line: string): [name: string, value: string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
}
