import { Buffer, isAscii, isUtf8 } from 'node:buffer';
import { BodyFault } from './body-fault.js';
import type { CharsetDetection } from './media-type.js';
import type { MemoryReservation } from './memory-reservation.js';
import { asBuffer, nextTurn, STEP_BYTES } from './text.js';

/** A body as text. A byte order mark stays in, so that what comes back unchanged is the same. */
export interface DecodedText {
  readonly text: string;
  readonly charset: string;
}

/** The bytes of a text, and how its readers find out what they stand for. */
interface EncodedText {
  readonly buffer: Buffer;
  readonly detection: CharsetDetection;
  /** What its byte order mark says. */
  readonly mark: string | undefined;
  readonly memory: MemoryReservation;
}

/** Of `windows-1252` where it is not Latin-1, from 0x80 on; what it leaves open is a control character there too. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const WINDOWS_1252_CODES = Uint16Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x80 && byte < 0xa0 ? WINDOWS_1252.charCodeAt(byte - 0x80) : byte,
);
const ASCII_LABELS: ReadonlySet<string> = new Set(['us-ascii', 'ascii', 'ansi_x3.4-1968']);
/** `<?xm` in EBCDIC, by which parsers know it that get the bytes alone (XML 1.0, appendix F). */
const EBCDIC_XML = Buffer.from([0x4c, 0x6f, 0xa7, 0x94]);
const XML_ENCODING = /^(\ufeff?<\?xml(?=\s)[^>]*?\sencoding\s*=\s*["'])([^"']*)/;
/** ICU makes these of bytes that a charset does not have, where other readers see an error or another text. */
const PRIVATE_USE = /[\ue000-\uf8ff]/;
/** And of IBM's charsets it swaps three control characters. ISO 8859 has all of them where everybody expects them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const INVENTED = /[\u001a\u001c\u007f-\u009f\ue000-\uf8ff]/;

/**
 * Decodes a body as its readers do: by what its type declares, by a byte order mark, as UTF-8 else. Where readers of the
 * type go by different things and would read different texts, it is ambiguous: an attacker would choose who reads what.
 * A large body is decoded in steps, between which others are served.
 * @param detection how readers of the type find the charset
 * @param labels charset parameters of the Content-Type, in lower case
 * @throws BodyFault
 */
export async function decodeText(
  bytes: Uint8Array,
  detection: CharsetDetection,
  labels: readonly string[],
  memory: MemoryReservation,
): Promise<DecodedText> {
  const buffer = asBuffer(bytes);
  const mark = byteOrderMark(buffer);
  const encoded = { buffer, detection, mark, memory };
  let declared: string | undefined;
  for (const label of labels) {
    const encoding = encodingOf(label, mark);
    if (encoding !== (declared ?? encoding)) throw ambiguous('Content-Type names two charsets');
    declared = encoding;
  }
  if (detection === 'xml') return decodeXml(encoded, declared);
  return decodeAs(declared ?? (detection === 'form' ? undefined : mark) ?? 'utf-8', encoded);
}

async function decodeAs(encoding: string, encoded: EncodedText): Promise<DecodedText> {
  const { buffer, detection, mark } = encoded;
  if (encoding !== 'utf-8' && mark !== undefined && mark !== encoding) {
    throw ambiguous(`the byte order mark says ${mark}, Content-Type ${encoding}`);
  }
  // Percent escapes can hold its shifts, and then the bytes agree with UTF-8 and the values do not.
  if (detection === 'form' && encoding === 'iso-2022-jp') throw ambiguous('forms are never ISO-2022-JP');
  const isUtf16 = encoding.startsWith('utf-16');
  if (isUtf16) checkLooksLikeUtf16(encoding, encoded);
  const text = await decode(encoding, encoded);
  if (text === undefined) throw new BodyFault('wrong_charset_bytes', `the body is not ${encoding}`);
  if (isUtf16 || detection === 'declared') return { text, charset: encoding };
  // Parsers of JSON and XML take a NUL there for UTF-16 or UTF-32, whatever the header says; other text has none there.
  if (buffer.length >= 2 && (buffer[0] === 0 || buffer[1] === 0))
    throw ambiguous('the body looks like UTF-16 without being declared so');
  if (encoding !== 'utf-8' && !(await agreesWithUtf8(text, encoded)))
    throw ambiguous(`read as ${encoding}, as declared, the body is another text than read as UTF-8`);
  return { text, charset: encoding };
}

/**
 * ASCII declared as UTF-16 is Chinese to who obeys and plain text to who does not. So it has to look like UTF-16: with a
 * byte order mark, or with an ASCII character at the start, as JSON, XML and most other text has it.
 */
function checkLooksLikeUtf16(encoding: string, { buffer, detection, mark }: EncodedText): void {
  if (detection === 'form') throw ambiguous('forms are never UTF-16');
  const start = mark === undefined ? 0 : 2;
  const [low = 0, high = 0] = buffer.subarray(start, start + 2);
  const [ascii, zero] = encoding === 'utf-16le' ? [low, high] : [high, low];
  const startsWithAscii = zero === 0 && ascii > 0 && ascii < 0x80;
  // FF FE 00 00 is the mark of UTF-32.
  const isMarked = mark !== undefined && (ascii !== 0 || zero !== 0 || buffer.length === 2);
  if (!startsWithAscii && !isMarked)
    throw ambiguous('the body is declared as UTF-16 and does not look like it');
}

/**
 * Many readers of JSON and forms never look at the charset. Bytes that are UTF-8 have to be the same text in both; others
 * an indulgent reader takes as UTF-8 with errors in it, and then at least every ASCII character has to be the same.
 */
async function agreesWithUtf8(text: string, encoded: EncodedText): Promise<boolean> {
  const { buffer } = encoded;
  if (isUtf8(buffer)) return (await decode('utf-8', encoded)) === text;
  let at = 0;
  for (let start = 0; start < buffer.length; start += STEP_BYTES) {
    await nextTurn();
    for (const byte of buffer.subarray(start, start + STEP_BYTES)) {
      if (byte >= 0x80) continue;
      while (text.charCodeAt(at) >= 0x80) at += 1;
      if (text.charCodeAt(at) !== byte) return false;
      at += 1;
    }
  }
  while (text.charCodeAt(at) >= 0x80) at += 1;
  return at === text.length;
}

/**
 * RFC 7303: first the byte order mark, then the parameter, then the declaration. Many parsers get the bytes alone, so
 * parameter and declaration have to lead to the same text.
 */
async function decodeXml(encoded: EncodedText, declared: string | undefined): Promise<DecodedText> {
  const { buffer, mark } = encoded;
  if (buffer.subarray(0, 4).equals(EBCDIC_XML)) throw ambiguous('the body looks like XML in EBCDIC');
  const label = xmlEncoding(buffer.toString('latin1', mark === 'utf-8' ? 3 : 0, buffer.indexOf('?>') + 1));
  const inside = label === undefined ? undefined : encodingOf(label, mark);
  // "utf-16" that can be read as ASCII says nothing: .NET's StringWriter puts it into UTF-8.
  if (inside === undefined || inside.startsWith('utf-16') || mark !== undefined) {
    return decodeAs(declared ?? mark ?? 'utf-8', encoded);
  }
  const decoded = await decodeAs(declared ?? inside, { ...encoded, detection: 'declared' });
  if (declared === undefined || (await decode(inside, encoded)) === decoded.text) return decoded;
  throw ambiguous(`Content-Type says ${declared}, the XML declaration ${inside}`);
}

/** The encoding in an XML declaration in lower case, undefined without one. */
function xmlEncoding(text: string): string | undefined {
  return XML_ENCODING.exec(text)?.[2]?.toLowerCase();
}

/** The text with UTF-8 in its XML declaration, if that names another encoding: written as UTF-8 it would be wrong. */
export function withUtf8Declaration(text: string): string {
  const label = xmlEncoding(text);
  if (label === undefined || label === 'utf-8') return text;
  return text.replace(XML_ENCODING, (_, before: string) => `${before}UTF-8`);
}

/** undefined for bytes that the encoding does not have. */
async function decode(encoding: string, { buffer, memory }: EncodedText): Promise<string | undefined> {
  if (encoding === 'utf-8' && !isUtf8(buffer)) return undefined;
  if (encoding === 'us-ascii' && !isAscii(buffer)) return undefined;
  const decodeStep = stepDecoder(encoding);
  if (buffer.length <= STEP_BYTES) return decodeStep(buffer, true);
  // The steps and the text that is joined of them, for a moment.
  memory.grow(2 * buffer.length);
  try {
    const parts: string[] = [];
    for (let start = 0, end = 0; start < buffer.length; start = end) {
      await nextTurn();
      end = encoding === 'utf-8' ? endOfStep(buffer, start) : start + STEP_BYTES;
      const part = decodeStep(buffer.subarray(start, end), end >= buffer.length);
      if (part === undefined) return undefined;
      parts.push(part);
    }
    return parts.join('');
  } finally {
    memory.shrink(2 * buffer.length);
  }
}

type StepDecoder = (bytes: Buffer, isLast: boolean) => string | undefined;

function stepDecoder(encoding: string): StepDecoder {
  if (encoding === 'utf-8') return (bytes) => bytes.toString('utf8');
  if (encoding === 'us-ascii') return (bytes) => bytes.toString('latin1');
  // Node 20 decodes it as Latin-1.
  if (encoding === 'windows-1252') return decodeWindows1252;
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  const invented = encoding.startsWith('iso-8859-') ? PRIVATE_USE : INVENTED;
  return (bytes, isLast) => {
    try {
      const text = decoder.decode(bytes, { stream: !isLast });
      return !encoding.startsWith('utf-16') && invented.test(text) ? undefined : text;
    } catch {
      return undefined;
    }
  };
}

function decodeWindows1252(bytes: Buffer): string {
  const codes = new Uint16Array(bytes.length);
  for (let at = 0; at < bytes.length; at += 1) codes[at] = WINDOWS_1252_CODES[bytes[at] ?? 0] ?? 0;
  return Buffer.from(codes.buffer).toString('utf16le');
}

/** Where a step of valid UTF-8 ends: never in the middle of a character. */
function endOfStep(buffer: Buffer, start: number): number {
  let end = Math.min(start + STEP_BYTES, buffer.length);
  while (end < buffer.length && ((buffer[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

/**
 * WHATWG's name for a label. `utf-16` without more is what the byte order mark says.
 * @throws BodyFault for one that this Node does not know
 */
function encodingOf(label: string, mark: string | undefined): string {
  if (label === 'utf-8' || label === 'utf8') return 'utf-8';
  if (ASCII_LABELS.has(label)) return 'us-ascii';
  let encoding: string;
  try {
    encoding = new TextDecoder(label).encoding;
  } catch {
    throw new BodyFault('unknown_charset', `charset ${JSON.stringify(label.slice(0, 40))}`);
  }
  const leavesOrderOpen = encoding === 'utf-16le' && label !== 'utf-16le';
  return leavesOrderOpen && mark === 'utf-16be' ? mark : encoding;
}

function byteOrderMark(buffer: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' | undefined {
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return 'utf-16le';
  if (buffer[0] === 0xfe && buffer[1] === 0xff) return 'utf-16be';
  return buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 'utf-8' : undefined;
}

function ambiguous(detail: string): BodyFault {
  return new BodyFault('ambiguous_charset', detail);
}
