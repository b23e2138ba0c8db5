import { isUtf8 } from 'node:buffer';
import { type DecodedBody, decodeBody } from './charset.js';
import { contentEncodingsOf, decodeContent, type Uncoded } from './content-encoding.js';
import type { HeaderList } from './header-list.js';
import { essenceOf, type MediaType, mediaType, NO_TYPE } from './media-type.js';
import type { OmissionReason } from './message.js';
import { multipartParts, partsAgreeWithUtf8 } from './multipart.js';
import { decodeUtf8 } from './text.js';

/** Which bodies are read at all. */
export interface ReadingRules {
  readonly send: boolean;
  /** Of the bytes as they came and of the decoded ones. */
  readonly maxBytes: number;
  /** Patterns like `text/*`, `*+json`, `application/xml`; empty: every type. */
  readonly contentTypes: readonly string[];
}

/** What a correct reader of the bytes that go on makes of a body. */
export type ReadableBody =
  | { readonly kind: 'absent' }
  | {
      readonly kind: 'text';
      readonly text: string;
      /** Content codings that were undone, in the order in which they had been applied. */
      readonly contentEncodings: readonly string[];
      /** In which the bytes are written; `utf-8` for nearly all. */
      readonly charset: string;
    }
  /** Not text, or not to be shown: left out, as the configuration wants it. */
  | { readonly kind: 'omitted'; readonly reason: Exclude<OmissionReason, 'too_large'> }
  /** As it came, or decoded, over `maxBytes`. */
  | { readonly kind: 'too_large'; readonly detail: string }
  /** Text that cannot be shown, while its receiver may well read something in it. */
  | UnreadableBody;

export interface UnreadableBody {
  readonly kind: 'unreadable';
  readonly reason: UnreadableReason;
  /** For the log; nothing of the body's content. */
  readonly detail: string;
}

export type UnreadableReason =
  | 'unknown_coding'
  | 'broken_coding'
  | 'ambiguous_coding'
  | 'unknown_charset'
  | 'wrong_charset_bytes'
  | 'ambiguous_charset'
  | 'ambiguous_content_type';

type Headers = Pick<HeaderList, 'getAll'>;

const ABSENT: ReadableBody = { kind: 'absent' };
const NO_CODINGS: readonly string[] = [];
const FOREIGN = new Set<UnreadableReason>(['unknown_coding', 'unknown_charset']);

/** 415 for what a receiver may understand although we do not; 400 for bytes that are wrong or contradict themselves. */
export function unreadableStatus(reason: UnreadableReason): 400 | 415 {
  return FOREIGN.has(reason) ? 415 : 400;
}

/**
 * Reads a body: codings undone, charset decoded. A plain body is read at once and costs no more than a check for UTF-8;
 * a promise comes back only for a compressed one of more than a few kilobytes.
 * @throws Error when memory is out
 */
export function readableBody(
  bytes: Uint8Array,
  headers: Headers,
  rules: ReadingRules,
): ReadableBody | Promise<ReadableBody> {
  if (bytes.length === 0) return ABSENT;
  if (!rules.send) return { kind: 'omitted', reason: 'disabled' };
  if (bytes.length > rules.maxBytes) {
    return { kind: 'too_large', detail: `${bytes.length} bytes` };
  }
  const types = headers.getAll('content-type');
  const type = types.length === 1 ? mediaType(types[0] ?? '') : oneOf(types);
  if (rules.contentTypes.length > 0 && !isWanted(types, rules.contentTypes, type === undefined)) {
    return { kind: 'omitted', reason: 'content_type' };
  }
  if (type === undefined) {
    return unreadable('ambiguous_content_type', `${types.length} Content-Type headers that differ`);
  }
  const contentEncodings = contentEncodingsOf(headers);
  if (contentEncodings.length === 0) return readText(bytes, type, contentEncodings);
  if (type.kind === 'opaque') return { kind: 'omitted', reason: 'content_encoding' };
  const read = (uncoded: Uncoded) => readUncoded(uncoded, type, contentEncodings, rules);
  const uncoded = decodeContent(bytes, contentEncodings, rules.maxBytes);
  return uncoded instanceof Promise ? uncoded.then(read) : read(uncoded);
}

function readUncoded(
  uncoded: Uncoded,
  type: MediaType,
  contentEncodings: readonly string[],
  rules: ReadingRules,
): ReadableBody {
  if (uncoded.kind === 'bytes') return readText(uncoded.bytes, type, contentEncodings);
  if (uncoded.kind !== 'too_large') return unreadable(uncoded.kind, uncoded.detail);
  return {
    kind: 'too_large',
    detail: `more than ${rules.maxBytes} bytes without ${contentEncodings.join(', ')}`,
  };
}

function readText(bytes: Uint8Array, type: MediaType, contentEncodings: readonly string[]): ReadableBody {
  if (type.kind === 'opaque') return readOpaque(bytes);
  const decoded =
    type.kind === 'multipart' ? decodeMultipart(bytes, type) : decodeBody(bytes, type.kind, type.charsets);
  if (decoded.kind === 'text') {
    return { kind: 'text', text: decoded.text, charset: decoded.charset, contentEncodings };
  }
  return decoded.kind === 'files'
    ? { kind: 'omitted', reason: 'not_utf8' }
    : unreadable(decoded.kind, decoded.detail);
}

/** What is no text is shown when it happens to be one, and is left out otherwise. */
function readOpaque(bytes: Uint8Array): ReadableBody {
  const text = decodeUtf8(bytes);
  return text === undefined
    ? { kind: 'omitted', reason: 'not_utf8' }
    : { kind: 'text', text, charset: 'utf-8', contentEncodings: NO_CODINGS };
}

/** Form data is shown whole when all of it is UTF-8; if not, because of a file, it is no text, like the file. */
function decodeMultipart(bytes: Uint8Array, type: MediaType): DecodedBody | { readonly kind: 'files' } {
  const parts = () => multipartParts(bytes, type.boundary ?? '');
  if (!isUtf8(bytes)) {
    if (parts()?.some(({ isOpaque }) => isOpaque)) return { kind: 'files' };
    return { kind: 'wrong_charset_bytes', detail: 'the parts of the form are not UTF-8' };
  }
  const decoded = decodeBody(bytes, 'form', type.charsets);
  if (decoded.kind !== 'text' || !/charset/i.test(decoded.text)) return decoded;
  const found = parts();
  if (found !== undefined && partsAgreeWithUtf8(found)) return decoded;
  return {
    kind: 'ambiguous_charset',
    detail: 'a part of the form names a charset and is another text in it',
  };
}

/** The type when there is no header, or several; undefined when they differ and one of them is text. */
function oneOf(types: readonly string[]): MediaType | undefined {
  const [first, ...others] = types;
  if (first === undefined) return NO_TYPE;
  const read = mediaType(first);
  const isOne = others.every((other) => other === first);
  const isOpaque = types.every((type) => mediaType(type).kind === 'opaque');
  return isOne || isOpaque ? read : undefined;
}

/**
 * With several Content-Type headers all must match, since nobody knows which one the receiver reads; where that is why
 * they are refused, one is enough, or a second header would hide what the first one shows.
 */
function isWanted(types: readonly string[], patterns: readonly string[], isDoubtful: boolean): boolean {
  const isMatch = (type: string) =>
    patterns.some((pattern) => matches(essenceOf(type), pattern.trim().toLowerCase()));
  return isDoubtful ? types.some(isMatch) : types.length > 0 && types.every(isMatch);
}

function matches(essence: string, pattern: string): boolean {
  if (pattern === '*/*' || pattern === '*') return true;
  if (pattern.endsWith('/*')) return essence.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*+')) return essence.endsWith(pattern.slice(1));
  return essence === pattern;
}

function unreadable(reason: UnreadableReason, detail: string): UnreadableBody {
  return { kind: 'unreadable', reason, detail };
}
