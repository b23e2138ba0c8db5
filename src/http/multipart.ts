import { Buffer } from 'node:buffer';
import { decodeBody } from './charset.js';
import { type MediaType, mediaType, NO_TYPE } from './media-type.js';
import { asBuffer } from './text.js';

/** A part of form data. */
export interface Part {
  /** A file, or of a type that is not text. */
  readonly isOpaque: boolean;
  readonly type: MediaType;
  readonly content: Uint8Array;
}

const CONTENT_TYPE = /^content-type:[ \t]*([^\r\n]*)/im;
const FILE_NAME = /^content-disposition:[^\r\n]*[;\s]filename\*?\s*=/im;

/**
 * The parts of multipart/form-data (RFC 7578, RFC 2046), read strictly.
 * @returns undefined when the body is not well-formed: another reader might find other parts in it
 */
export function multipartParts(body: Uint8Array, boundary: string): readonly Part[] | undefined {
  const bytes = asBuffer(body);
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  // Some clients put a line end before the first one.
  const start = bytes.indexOf(delimiter.subarray(2));
  if (boundary === '' || (start !== 0 && !(start === 2 && bytes.indexOf('\r\n') === 0))) return undefined;
  const parts: Part[] = [];
  for (let at = start + delimiter.length - 2; ; ) {
    const next = bytes.toString('latin1', at, at + 2);
    if (next === '--') return parts;
    if (next !== '\r\n') return undefined;
    const end = bytes.indexOf(delimiter, at);
    if (end < 0) return undefined;
    const part = readPart(bytes.subarray(at, end));
    if (part === undefined) return undefined;
    parts.push(part);
    at = end + delimiter.length;
  }
}

/** Whether each part that names a charset is, in that charset, the text that its bytes are as UTF-8. */
export function partsAgreeWithUtf8(parts: readonly Part[]): boolean {
  return parts.every(({ isOpaque, type, content }) => {
    if (isOpaque || type.charsets.length === 0) return true;
    const decoded = decodeBody(content, 'form', type.charsets);
    return decoded.kind === 'text' && decoded.text === asBuffer(content).toString('utf8');
  });
}

/** @param bytes from the line end after the delimiter to the one before the next */
function readPart(bytes: Buffer): Part | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 2, end);
  const declared = CONTENT_TYPE.exec(head)?.[1];
  const type = declared === undefined ? NO_TYPE : mediaType(declared);
  const isOpaque = type.kind === 'opaque' || type.kind === 'multipart' || FILE_NAME.test(head);
  return { isOpaque, type, content: bytes.subarray(end + 4) };
}
