import { isAscii, isUtf8 } from 'node:buffer';
import type { CharsetDetection } from './media-type.js';
import { asBuffer } from './text.js';

/** A body as text, or why it is none. A byte order mark stays in, so that what comes back unchanged is the same. */
export type DecodedBody =
  | { readonly kind: 'text'; readonly text: string; readonly charset: string }
  | {
      readonly kind: 'unknown_charset' | 'wrong_charset_bytes' | 'ambiguous_charset';
      readonly detail: string;
    };

type Fault = Exclude<DecodedBody, { kind: 'text' }>;

/** Of `windows-1252` where it is not Latin-1, from 0x80 on; what it leaves open is a control character there too. */
const WINDOWS_1252 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';
const ASCII_LABELS: ReadonlySet<string> = new Set(['us-ascii', 'ascii', 'ansi_x3.4-1968']);
const XML_ENCODING = /^(\ufeff?<\?xml(?=\s)[^>]*?\sencoding\s*=\s*["'])([^"']*)/;
/** ICU makes these of bytes that a charset does not have, where other readers see an error or another text. */
const PRIVATE_USE = /[\ue000-\uf8ff]/;
/** And of IBM's charsets it swaps three control characters. ISO 8859 has all of them where everybody expects them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const INVENTED = /[\u001a\u001c\u007f-\u009f\ue000-\uf8ff]/;

/**
 * Decodes a body as its readers do: by what its type declares, by a byte order mark, as UTF-8 else. Where readers of the
 * type go by different things and would read different texts, it is ambiguous: an attacker would choose who reads what.
 * @param habit how readers of the type find the charset
 * @param labels charset parameters of the Content-Type, in lower case
 */
export function decodeBody(
  bytes: Uint8Array,
  habit: CharsetDetection,
  labels: readonly string[],
): DecodedBody {
  const buffer = asBuffer(bytes);
  const first = labels[0];
  if (first === undefined || (labels.length === 1 && (first === 'utf-8' || first === 'utf8'))) {
    if (habit === 'xml') return decodeXml(buffer, first === undefined ? first : 'utf-8');
    const text = decodeAsUtf8(buffer, habit);
    if (text !== undefined) return text;
    return first === undefined ? decodeMarked(buffer, habit) : wrongBytes('utf-8');
  }
  const mark = byteOrderMark(buffer);
  let encoding: string | undefined;
  for (const label of labels) {
    const found = encodingOf(label, mark);
    if (found === undefined) return unknownCharset(label);
    if (encoding !== undefined && encoding !== found) return ambiguous('Content-Type names two charsets');
    encoding = found;
  }
  if (habit === 'xml') return decodeXml(buffer, encoding);
  return decodeDeclared(buffer, encoding ?? 'utf-8', habit, mark);
}

/** undefined when the bytes are not UTF-8. */
function decodeAsUtf8(buffer: Buffer, habit: CharsetDetection): DecodedBody | undefined {
  if (!isUtf8(buffer)) return undefined;
  return secretUtf16(buffer, habit) ?? { kind: 'text', text: buffer.toString('utf8'), charset: 'utf-8' };
}

/** Parsers of JSON and XML take a NUL there for UTF-16 or UTF-32, whatever the header says; other text has none there. */
function secretUtf16(buffer: Buffer, habit: CharsetDetection): Fault | undefined {
  if (habit === 'declared' || buffer.length < 2 || (buffer[0] !== 0 && buffer[1] !== 0)) return undefined;
  return ambiguous('the body looks like UTF-16 without being declared so');
}

/** Not UTF-8, and nothing is declared. */
function decodeMarked(buffer: Buffer, habit: CharsetDetection): DecodedBody {
  const mark = byteOrderMark(buffer);
  return mark === undefined || mark === 'utf-8' || habit === 'form'
    ? wrongBytes('utf-8')
    : decodeDeclared(buffer, mark, habit, mark);
}

function decodeDeclared(
  buffer: Buffer,
  encoding: string,
  habit: CharsetDetection,
  mark: string | undefined,
): DecodedBody {
  if (encoding === 'utf-8') return decodeAsUtf8(buffer, habit) ?? wrongBytes(encoding);
  if (mark !== undefined && mark !== encoding) {
    return ambiguous(`the byte order mark says ${mark}, Content-Type ${encoding}`);
  }
  const isUtf16 = encoding.startsWith('utf-16');
  const fault = isUtf16 ? doubtfulUtf16(buffer, encoding, habit, mark) : secretUtf16(buffer, habit);
  if (fault !== undefined) return fault;
  const text = decode(buffer, encoding);
  if (text === undefined) return wrongBytes(encoding);
  const isAgreed = habit === 'declared' || isUtf16 || agreesWithUtf8(buffer, text);
  return isAgreed
    ? { kind: 'text', text, charset: encoding }
    : ambiguous(`read as ${encoding}, as declared, the body is another text than read as UTF-8`);
}

/**
 * ASCII declared as UTF-16 is Chinese to who obeys and plain text to who does not. So it has to look like UTF-16: with a
 * byte order mark, or with an ASCII character at the start, as JSON, XML and most other text has it.
 */
function doubtfulUtf16(
  buffer: Buffer,
  encoding: string,
  habit: CharsetDetection,
  mark: string | undefined,
): Fault | undefined {
  if (habit === 'form') return ambiguous('forms are never UTF-16');
  const start = mark === undefined ? 0 : 2;
  const [low = 0, high = 0] = buffer.subarray(start, start + 2);
  const [ascii, zero] = encoding === 'utf-16le' ? [low, high] : [high, low];
  const isAscii = zero === 0 && ascii > 0 && ascii < 0x80;
  // FF FE 00 00 is the mark of UTF-32.
  const isMarked = mark !== undefined && (ascii !== 0 || zero !== 0 || buffer.length === 2);
  return isAscii || isMarked
    ? undefined
    : ambiguous('the body is declared as UTF-16 and does not look like it');
}

/**
 * Many readers of JSON and forms never look at the charset. Bytes that are UTF-8 have to be the same text in both; others
 * an indulgent reader takes as UTF-8 with errors in it, and then at least every ASCII character has to be the same.
 */
function agreesWithUtf8(buffer: Buffer, text: string): boolean {
  if (isUtf8(buffer)) return buffer.toString('utf8') === text;
  let at = 0;
  for (const byte of buffer) {
    if (byte >= 0x80) continue;
    while (text.charCodeAt(at) >= 0x80) at += 1;
    if (text.charCodeAt(at) !== byte) return false;
    at += 1;
  }
  while (text.charCodeAt(at) >= 0x80) at += 1;
  return at === text.length;
}

/**
 * RFC 7303: first the byte order mark, then the parameter, then the declaration. Many parsers get the bytes alone, so
 * parameter and declaration have to lead to the same text.
 */
function decodeXml(buffer: Buffer, declared: string | undefined): DecodedBody {
  const mark = byteOrderMark(buffer);
  const label = xmlEncoding(buffer.toString('latin1', mark === 'utf-8' ? 3 : 0, buffer.indexOf('?>') + 1));
  const inside = label === undefined ? undefined : encodingOf(label, mark);
  if (label !== undefined && inside === undefined) return unknownCharset(label);
  // "utf-16" that can be read as ASCII says nothing: .NET's StringWriter puts it into UTF-8.
  const saysNothing = inside === undefined || inside.startsWith('utf-16');
  if (saysNothing || mark !== undefined) {
    return decodeDeclared(buffer, declared ?? mark ?? 'utf-8', 'xml', mark);
  }
  const text = decodeDeclared(buffer, declared ?? inside, 'declared', mark);
  const isAgreed = declared === undefined || text.kind !== 'text' || decode(buffer, inside) === text.text;
  return isAgreed ? text : ambiguous(`Content-Type says ${declared}, the XML declaration ${inside}`);
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
function decode(buffer: Buffer, encoding: string): string | undefined {
  if (encoding === 'utf-8') return isUtf8(buffer) ? buffer.toString('utf8') : undefined;
  if (encoding === 'us-ascii') return isAscii(buffer) ? buffer.toString('latin1') : undefined;
  // Node 20 decodes it as Latin-1.
  if (encoding === 'windows-1252') {
    return buffer
      .toString('latin1')
      .replace(/[\u0080-\u009f]/g, (c) => WINDOWS_1252.charAt(c.charCodeAt(0) - 0x80));
  }
  try {
    const text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(buffer);
    if (encoding.startsWith('utf-16')) return text;
    return (encoding.startsWith('iso-8859-') ? PRIVATE_USE : INVENTED).test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** WHATWG's name for a label, as far as this Node knows it. `utf-16` without more is what the byte order mark says. */
function encodingOf(label: string, mark: string | undefined): string | undefined {
  if (ASCII_LABELS.has(label)) return 'us-ascii';
  let encoding: string;
  try {
    encoding = new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
  const leavesOrderOpen = encoding === 'utf-16le' && label !== 'utf-16le';
  return leavesOrderOpen && mark === 'utf-16be' ? mark : encoding;
}

function byteOrderMark(buffer: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' | undefined {
  if (buffer[0] === 0xff && buffer[1] === 0xfe) return 'utf-16le';
  if (buffer[0] === 0xfe && buffer[1] === 0xff) return 'utf-16be';
  return buffer[0] === 0xef && buffer[1] === 0xbb && buffer[2] === 0xbf ? 'utf-8' : undefined;
}

function unknownCharset(label: string): Fault {
  return { kind: 'unknown_charset', detail: `charset ${JSON.stringify(label.slice(0, 40))}` };
}

function wrongBytes(encoding: string): Fault {
  return { kind: 'wrong_charset_bytes', detail: `the body is not ${encoding}` };
}

function ambiguous(detail: string): Fault {
  return { kind: 'ambiguous_charset', detail };
}
