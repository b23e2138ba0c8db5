import { isAscii, isUtf8 } from 'node:buffer';
import type { PluginConfig } from '../config/schema.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { BodyFault } from './body-fault.js';
import { decodeText } from './charset.js';
import { decodeContent } from './content-encoding.js';
import type { HeaderList } from './headers.js';
import { contentEncodingsOf, type MediaType, mediaType, NO_TYPE } from './media-type.js';
import type { MemoryReservation } from './memory-reservation.js';
import type { BodyView, OmissionReason } from './message.js';
import { checkPartCharsets, multipartParts } from './multipart.js';
import { LARGE_BYTES, nextTurn } from './text.js';

type Direction = 'request' | 'response';

/** Which bodies of one direction the policy is shown. */
export interface BodyRules {
  readonly direction: Direction;
  readonly send: boolean;
  /** Of the bytes as they came, and of the decoded ones. */
  readonly maxBytes: number;
  readonly overLimit: 'reject' | 'omit';
  /** Patterns like `text/*`, `*+json`, `application/xml`; empty: every type. */
  readonly contentTypes: readonly string[];
  readonly opaque: PluginConfig['opaque_bodies'];
  readonly encoded: PluginConfig['encoded_request_bodies'];
}

export type BodySettings = Pick<
  PluginConfig,
  | `send_${Direction}_body`
  | `max_${Direction}_body_bytes`
  | `${Direction}_body_over_limit`
  | 'body_content_types'
  | 'opaque_bodies'
  | 'encoded_request_bodies'
  | 'mcp'
>;

export function bodyRules(direction: Direction, settings: BodySettings): BodyRules {
  const { encoded_request_bodies: encoded, mcp } = settings;
  // A message that an MCP server may read in another way is never forwarded.
  const ofRequest = mcp && encoded === 'forward' ? 'decode' : encoded;
  return {
    direction,
    send: settings[`send_${direction}_body`],
    maxBytes: settings[`max_${direction}_body_bytes`],
    overLimit: settings[`${direction}_body_over_limit`],
    contentTypes: settings.body_content_types.map((pattern) => pattern.trim().toLowerCase()),
    opaque: settings.opaque_bodies,
    encoded: direction === 'request' ? ofRequest : 'forward',
  };
}

/** The text that the policy is shown, `''` where there is no body; undefined when it is not shown the one there is. */
export function textShown(body: BodyView): string | undefined {
  return body.kind === 'text' ? body.text : body.kind === 'absent' ? '' : undefined;
}

const ABSENT: BodyView = { kind: 'absent' };
const FOREIGN = new Set(['unknown_encoding', 'unknown_charset']);

/**
 * What of a body the policy is shown: the text that a correct reader of the bytes finds in it, content encodings and charset
 * decoded. A body that is switched off is neither measured nor read. The memory for what is made of the bytes is reserved
 * before it is made, and kept until the caller releases it.
 *
 * @throws PingAuthError `…_body_too_large`, `…_body_opaque`, `request_body_encoded` where the rules say reject;
 *   `…_body_unreadable` for text that cannot be shown, which a client could otherwise use to hide it; `server_overloaded`
 */
export async function decodeBody(
  bytes: Uint8Array,
  headers: Pick<HeaderList, 'getAll'>,
  rules: BodyRules,
  memory: MemoryReservation,
): Promise<BodyView> {
  if (bytes.length === 0) return ABSENT;
  if (!rules.send) return { kind: 'omitted', reason: 'disabled' };
  try {
    return await readBody(bytes, headers, rules, memory);
  } catch (thrown) {
    if (thrown instanceof BodyFault) return leftOutFor(thrown, rules);
    throw thrown;
  }
}

async function readBody(
  bytes: Uint8Array,
  headers: Pick<HeaderList, 'getAll'>,
  rules: BodyRules,
  memory: MemoryReservation,
): Promise<BodyView> {
  if (bytes.length > rules.maxBytes) throw new BodyFault('too_large', `${bytes.length} bytes`);
  const encodings = contentEncodingsOf(headers);
  if (encodings.length > 0 && rules.encoded === 'reject') {
    throw new PingAuthError('request_body_encoded', { detail: encodings.join(', ').slice(0, 80) });
  }
  const types = headers.getAll('content-type');
  const type = types.length === 1 ? mediaType(types[0] ?? '') : oneOf(types);
  if (rules.contentTypes.length > 0 && !isWanted(types, rules.contentTypes, type === undefined)) {
    return opaque('content_type', rules);
  }
  if (type === undefined) {
    throw new BodyFault('ambiguous_content_type', `${types.length} Content-Type headers that differ`);
  }
  if (encodings.length === 0) return readText(bytes, type, rules, memory);
  if (type.kind === 'opaque') return opaque('content_encoding', rules);
  const decode = () => decodeContent(bytes, encodings, rules.maxBytes, memory);
  const decoded = await (isSlow(encodings, rules) ? inBrotliQueue(decode) : decode());
  const view = await readText(decoded, type, rules, memory);
  if (rules.encoded === 'decode' && view.kind === 'text') return { ...view, decoded };
  memory.shrink(decoded.length);
  return view;
}

/** A few bytes of Brotli can take 30 ms of a thread and 16 MiB. What upstreams send does not wait for what clients send. */
function isSlow(encodings: readonly string[], { direction }: BodyRules): boolean {
  return direction === 'request' && encodings.includes('br');
}

const MAX_QUEUED_BROTLI = 64;
let queuedBrotli = 0;
let lastBrotli: Promise<unknown> = Promise.resolve();

const ignore = () => {};

/** One after the other, so that zlib's other threads are left to others. @throws PingAuthError `server_overloaded` */
async function inBrotliQueue(decode: () => Promise<Uint8Array>): Promise<Uint8Array> {
  if (queuedBrotli === MAX_QUEUED_BROTLI) {
    const detail = `${MAX_QUEUED_BROTLI} Brotli bodies wait to be decoded`;
    throw new PingAuthError('server_overloaded', { detail, retryAfterSeconds: 1 });
  }
  queuedBrotli += 1;
  const decoded = lastBrotli.then(decode);
  lastBrotli = decoded.then(ignore, ignore);
  try {
    return await decoded;
  } finally {
    queuedBrotli -= 1;
  }
}

async function readText(
  bytes: Uint8Array,
  type: MediaType,
  rules: BodyRules,
  memory: MemoryReservation,
): Promise<BodyView> {
  if (bytes.length > LARGE_BYTES) await nextTurn();
  // What is no text is shown when it happens to be one, and is left out otherwise.
  if (type.kind === 'opaque' && !isUtf8(bytes)) return opaque('not_utf8', rules);
  if (type.kind === 'multipart' && !isUtf8(bytes)) {
    // Form data is shown whole when all of it is UTF-8; if not, because of a file, it is no text, like the file.
    if (multipartParts(bytes, type.boundary)?.some(({ isOpaque }) => isOpaque))
      return opaque('not_utf8', rules);
    throw new BodyFault('wrong_charset_bytes', 'the parts of the form are not UTF-8');
  }
  // A string takes one byte a character if all of them are ASCII, otherwise two.
  memory.grow(isAscii(bytes) ? bytes.length : 2 * bytes.length);
  const { kind } = type;
  const detection = kind === 'opaque' ? 'declared' : kind === 'multipart' ? 'form' : kind;
  const charsets = kind === 'opaque' ? NO_TYPE.charsets : type.charsets;
  const { text, charset } = await decodeText(bytes, detection, charsets, memory);
  if (kind === 'multipart' && /charset/i.test(text)) await checkPartCharsets(bytes, type.boundary, memory);
  return { kind: 'text', text, charset };
}

/** A body that is not text, or not to be shown. */
function opaque(reason: OmissionReason, { direction, opaque }: BodyRules): BodyView {
  if (opaque !== 'reject') return { kind: 'omitted', reason };
  const detail = `${reason}, and opaque_bodies is reject`;
  throw new PingAuthError(`${direction}_body_opaque`, { detail });
}

/** The one decision between an error response and a policy that decides without the body. */
function leftOutFor({ reason, detail }: BodyFault, rules: BodyRules): BodyView {
  const { direction } = rules;
  if (reason === 'too_large') {
    if (rules.overLimit === 'omit') return { kind: 'omitted', reason };
    const limit = `the limit is max_${direction}_body_bytes = ${rules.maxBytes}`;
    throw new PingAuthError(`${direction}_body_too_large`, { detail: `${detail}, ${limit}` });
  }
  if (rules.opaque === 'allow_unreadable') return { kind: 'omitted', reason: 'unreadable' };
  const told = `${reason}: ${detail}`;
  if (direction === 'response') throw new PingAuthError('response_body_unreadable', { detail: told });
  // 415 for what a receiver may understand although we do not; 400 for bytes that are wrong or contradict themselves.
  const status = FOREIGN.has(reason) ? 415 : 400;
  throw new PingAuthError('request_body_unreadable', { detail: told, status });
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
 * With several Content-Type headers all must match, since it is unknown which one the receiver reads; where that is why
 * they are refused, one is enough, or a second header would hide what the first one shows.
 */
function isWanted(types: readonly string[], patterns: readonly string[], isDoubtful: boolean): boolean {
  const isMatch = (type: string) => patterns.some((pattern) => matches(mediaType(type).essence, pattern));
  return isDoubtful ? types.some(isMatch) : types.length > 0 && types.every(isMatch);
}

function matches(essence: string, pattern: string): boolean {
  if (pattern === '*/*' || pattern === '*') return true;
  if (pattern.endsWith('/*')) return essence.startsWith(pattern.slice(0, -1));
  if (pattern.startsWith('*+')) return essence.endsWith(pattern.slice(1));
  return essence === pattern;
}
