/// <reference lib="es2024.string" />
import { isAscii, isUtf8 } from 'node:buffer';

/** From here on the engine's own test for ASCII is the faster one. */
const LONG_TEXT_BYTES = 256;

/** Whether all of these bytes are below 0x80: most text is, and reading it as Latin-1 is many times faster. */
export function isAsciiText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= LONG_TEXT_BYTES) return isAscii(bytes.subarray(start, end));
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) >= 0x80) return false;
  return true;
}

/**
 * Kong's strings are bytes, JavaScript's are UTF-16. A byte 0xNN that is not part of valid UTF-8 is held as the lone
 * surrogate U+DCNN (Python calls this "surrogateescape"), so every byte string goes to text and back unchanged.
 */
export function textFromBytes(bytes: Buffer, start = 0, end = bytes.length): string {
  if (isAsciiText(bytes, start, end)) return bytes.toString('latin1', start, end);
  const text = bytes.toString('utf8', start, end);
  // U+FFFD stands there when a byte was wrong, or when somebody really sent that character.
  if (!text.includes('\uFFFD')) return text;
  return isUtf8(bytes.subarray(start, end)) ? text : escapedText(bytes, start, end);
}

/** Number of bytes that {@link writeText} will write. */
export function textLength(text: string): number {
  const length = Buffer.byteLength(text);
  if (text.isWellFormed()) return length;
  // byteLength counts every lone surrogate as the three bytes of U+FFFD; an escaped byte is one.
  let escaped = 0;
  for (let i = 0; i < text.length; i++) if (isEscapedByte(text, i)) escaped++;
  return length - 2 * escaped;
}

/** Writes at `offset` and returns the offset behind. The buffer must have room for textLength(text) bytes. */
export function writeText(text: string, into: Buffer, offset: number): number {
  if (text.isWellFormed()) return offset + into.write(text, offset, 'utf8');
  let at = offset;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (!isEscapedByte(text, i)) continue;
    if (i > from) at += into.write(text.slice(from, i), at, 'utf8');
    into[at++] = text.charCodeAt(i) & 0xff;
    from = i + 1;
  }
  if (from < text.length) at += into.write(text.slice(from), at, 'utf8');
  return at;
}

function isEscapedByte(text: string, index: number): boolean {
  const unit = text.charCodeAt(index);
  if (unit < 0xdc80 || unit > 0xdcff) return false;
  const before = index > 0 ? text.charCodeAt(index - 1) : 0;
  return before < 0xd800 || before > 0xdbff;
}

function escapedText(bytes: Buffer, start: number, end: number): string {
  const units = new Uint16Array(end - start);
  let count = 0;
  let at = start;
  while (at < end) {
    const lead = bytes[at] ?? 0;
    const size = sequenceLength(bytes, at, end);
    if (size === 0) {
      units[count++] = 0xdc00 | lead;
      at += 1;
    } else if (size === 1) {
      units[count++] = lead;
      at += 1;
    } else {
      let point = lead & (0x7f >> size);
      for (let i = 1; i < size; i++) point = (point << 6) | ((bytes[at + i] ?? 0) & 0x3f);
      if (point > 0xffff) {
        units[count++] = 0xd7c0 + (point >> 10);
        units[count++] = 0xdc00 | (point & 0x3ff);
      } else {
        units[count++] = point;
      }
      at += size;
    }
  }
  return Buffer.from(units.buffer, 0, count * 2).toString('ucs2');
}

/** Length of the valid UTF-8 sequence at `at`, 0 if there is none (the Unicode Standard, table 3-7). */
function sequenceLength(bytes: Buffer, at: number, end: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + size > end) return 0;
  const second = bytes[at + 1] ?? 0;
  const low = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
  const high = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < size; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}
