/// <reference lib="es2024.string" />
import { Buffer, isAscii, isUtf8 } from 'node:buffer';

/** A byte that is not part of valid UTF-8, as it stands in a string: 0x80–0xFF ⇄ U+DC80–U+DCFF (Python calls it surrogateescape). */
const ESCAPED_BYTE = /[\uDC80-\uDCFF]/u;
const ESCAPED_BYTES = /[\uDC80-\uDCFF]/gu;
const ESCAPE_BASE = 0xdc00;

/**
 * Bytes as a string that gives back the very same bytes: valid UTF-8 as such, each other byte 0xNN as the lone surrogate
 * U+DCNN. For header values, paths and queries: clients send Latin-1 there, and those bytes must reach the upstream.
 */
export function decodeLossless(bytes: Uint8Array): string {
  const buffer = asBuffer(bytes);
  if (isAscii(buffer)) return buffer.toString('latin1');
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  let start = 0;
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += buffer.toString('utf8', start, at) + String.fromCharCode(ESCAPE_BASE + (buffer[at] ?? 0));
    at += 1;
    start = at;
  }
  return text + buffer.toString('utf8', start);
}

/** The exact inverse of `decodeLossless`. A lone surrogate that stands for no byte becomes U+FFFD. */
export function encodeLossless(text: string): Uint8Array {
  if (text.isWellFormed()) return Buffer.from(text, 'utf8');
  // Every second part is an escaped byte.
  const parts = text.split(/([\uDC80-\uDCFF])/u);
  return Buffer.concat(
    parts.map((part, at) =>
      at % 2 === 1 ? Uint8Array.of(part.charCodeAt(0) - ESCAPE_BASE) : Buffer.from(part, 'utf8'),
    ),
  );
}

/** What the policy is shown of a header value: bytes that are not UTF-8 read as ISO-8859-1, so `caf\xE9` shows as `café`. */
export function toWireText(value: string): string {
  if (!ESCAPED_BYTE.test(value)) return value;
  return value.replace(ESCAPED_BYTES, (escaped) => String.fromCharCode(escaped.charCodeAt(0) - ESCAPE_BASE));
}

/** Needs no escape in a JSON string: printable ASCII without the quote and the backslash. */
const JSON_PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** A JSON string literal. Nearly every header value is plain, and then two quotes are all there is to do. */
export function jsonString(text: string): string {
  return JSON_PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** A JSON object, as JSON.parse makes it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** undefined for a text that is not JSON; the parser's message is left out, because it quotes the text. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A body as text, or undefined when it is not valid UTF-8. A byte order mark stays in, so that it survives a round trip. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  const buffer = asBuffer(bytes);
  return isUtf8(buffer) ? buffer.toString('utf8') : undefined;
}

/** Whether the string holds half a surrogate pair: no encoding of it exists. */
export function hasLoneSurrogate(text: string): boolean {
  return !text.isWellFormed();
}

/** The same bytes with Buffer's methods; a view, not a copy. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** How many bytes V8 holds for a text that is not ASCII only: two a character (one for some, which is not told). */
export function bytesOfText(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}

/** Without a regular expression: `/[ \t]+$/` takes quadratic time on a value full of blanks, which any client can send. */
export function trimBlanks(value: string): string {
  let start = 0;
  let end = value.length;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  return value.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Length of the valid UTF-8 sequence that starts at `at`, 0 when there is none (RFC 3629, table in section 4). */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether a text can be the name of a header. */
export function isToken(name: string): boolean {
  return TOKEN.test(name);
}

/** As a class of what may stand there, which V8 tests twice as fast as a search for what may not. */
const NO_CONTROL_CHARACTER = /^[\t\x20-\x7e\x80-\uffff]*$/;

/** All but the tab: what nginx takes in a header value from a client, and no value may have. */
export function hasControlCharacter(value: string): boolean {
  return !NO_CONTROL_CHARACTER.test(value);
}

/** The items of a header that is a list, in lower case, without empty ones. */
export function listItems(values: readonly string[]): string[] {
  const items: string[] = [];
  for (const value of values) {
    for (const text of value.split(',')) {
      const item = text.trim().toLowerCase();
      if (item !== '') items.push(item);
    }
  }
  return items;
}

/** A larger message is worked on in steps. */
export const LARGE_BYTES = 262_144;
/** A step of work on a large text takes a few milliseconds, in which no other event is served. */
export const STEP_BYTES = 262_144;

const waiting: (() => void)[] = [];

/**
 * To be awaited before each step of work on a large message. Of all the steps of all messages one is done in each turn of the
 * event loop, so that a small message waits for one step, however many large ones there are.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (waiting.push(resolve) === 1) setImmediate(startStep);
  });
}

function startStep(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(startStep);
}
