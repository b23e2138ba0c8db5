import { Buffer } from 'node:buffer';
import { BodyFault } from './body-fault.js';
import { decodeText } from './charset.js';
import { type MediaType, mediaType, NO_TYPE } from './media-type.js';
import type { MemoryReservation } from './memory-reservation.js';
import { asBuffer } from './text.js';

/** A part of form data. */
export interface Part {
  /** A file, or of a type that is not text. */
  readonly isOpaque: boolean;
  readonly type: MediaType;
  readonly content: Uint8Array;
}

/** Servers stop at some number, too (PHP at 1000 variables). Megabytes of empty parts would take seconds to read. */
const MAX_PARTS = 1000;
const MAX_PART_HEAD = 16_384;
/** RFC 2046, section 5.1.1. */
const MAX_BOUNDARY = 70;

const CONTENT_TYPE = /^content-type:[ \t]*([^\r\n]*)/im;
const FILE_NAME = /^content-disposition:[^\r\n]*[;\s]filename\*?\s*=/im;

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

/** Whether each part that names a charset is, in that charset, the text that its bytes are as UTF-8. */
export async function partsAgreeWithUtf8(
  parts: readonly Part[],
  memory: MemoryReservation,
): Promise<boolean> {
  for (const { isOpaque, type, content } of parts) {
    if (isOpaque || type.charsets.length === 0) continue;
    try {
      // For a form, the text in another charset has to be that in UTF-8.
      await decodeText(content, 'form', type.charsets, memory);
    } catch (thrown) {
      if (thrown instanceof BodyFault) return false;
      throw thrown;
    }
  }
  return true;
}

/** @param bytes from the line end after the delimiter to the one before the next */
function readPart(bytes: Buffer): Part | undefined {
  const end = bytes.subarray(0, MAX_PART_HEAD).indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 2, end);
  const declared = CONTENT_TYPE.exec(head)?.[1];
  const type = declared === undefined ? NO_TYPE : mediaType(declared);
  const isOpaque = type.kind === 'opaque' || type.kind === 'multipart' || FILE_NAME.test(head);
  return { isOpaque, type, content: bytes.subarray(end + 4) };
}
