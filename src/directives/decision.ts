import { withUtf8Declaration } from '../http/charset.js';
import {
  canonicalName,
  type HeaderChanges,
  type HeaderList,
  headerChanges,
  isAlwaysRemoved,
  isEmpty,
  isRemoval,
  NO_HEADER_CHANGES,
  oneOrMany,
  valuesOf,
} from '../http/headers.js';
import { mayNameCharset, mediaType, readParameter, splitParameters } from '../http/media-type.js';
import type { BodyView, ResponseToSend } from '../http/message.js';
import { checkBody } from './validation.js';

/** What the policy changed in the request. A member that is undefined stays as it is. */
export interface RequestChanges {
  readonly method: string | undefined;
  /** Escaped path. */
  readonly path: string | undefined;
  /** Raw query without `?`; `''` removes it. */
  readonly query: string | undefined;
  /** New `Host` for the upstream. */
  readonly host: string | undefined;
  readonly headers: HeaderChanges;
  readonly body: Uint8Array | undefined;
}

/** What the policy changed in the response. */
export interface ResponseChanges {
  readonly status: number | undefined;
  readonly headers: HeaderChanges;
  /** New body; an empty array erases it. undefined keeps the upstream's bytes. */
  readonly body: Uint8Array | undefined;
}

export type RequestDecision = Denial | Permit;

export interface Denial {
  readonly kind: 'deny';
  readonly response: ResponseToSend;
  readonly notes: readonly IgnoredDirective[];
}

interface Permit {
  readonly kind: 'permit';
  readonly changes: RequestChanges;
  /** JSON text, as it came. */
  readonly state: string | undefined;
  readonly notes: readonly IgnoredDirective[];
}

export interface ResponseDecision {
  readonly changes: ResponseChanges;
  readonly notes: readonly IgnoredDirective[];
}

/** Something the policy asked for that was ignored; for the log. Names only, never values. */
export interface IgnoredDirective {
  readonly what: 'unchangeable_field' | 'dropped_header' | 'approval_url';
  /** Of a header or field; of an approval URL, what is wrong with it. */
  readonly name: string;
}

/** For monitor mode, which changes nothing. */
export const NO_REQUEST_CHANGES: RequestChanges = {
  method: undefined,
  path: undefined,
  query: undefined,
  host: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

export const NO_RESPONSE_CHANGES: ResponseChanges = {
  status: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

const FIELDS = ['method', 'path', 'query', 'host', 'status'] as const;

/**
 * What changed, for the log line of a decision: `['method', 'path', 'header:x-a', '-header:x-b', 'body']`. Names only;
 * values may be credentials. Accept-Encoding, which goes from every request, is no change of the policy's.
 */
export function describeChanges(changes: RequestChanges | ResponseChanges): string[] {
  const { headers, body } = changes;
  const described = changedFields(changes);
  const names = Object.keys(headers);
  for (const name of names) if (!isRemoval(headers[name])) described.push(`header:${name}`);
  for (const name of names)
    if (isRemoval(headers[name]) && !isAlwaysRemoved(name)) described.push(`-header:${name}`);
  if (body !== undefined) described.push('body');
  return described;
}

/** For people: `dropped header: via`. */
export function noteInWords({ what, name }: IgnoredDirective): string {
  return `${what.replaceAll('_', ' ')}: ${name}`;
}

/** Whether the message is forwarded unchanged. */
export function isUnchanged(changes: RequestChanges | ResponseChanges): boolean {
  const { headers, body } = changes;
  return body === undefined && isEmpty(headers) && changedFields(changes).length === 0;
}

function changedFields(changes: Partial<RequestChanges & ResponseChanges>): string[] {
  return FIELDS.filter((field) => changes[field] !== undefined);
}

/** They describe the old bytes. One that the policy itself sets is about the new ones and stays. */
const OF_OLD_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
]);

/**
 * The headers and the body of a message whose body the policy replaced. A body from the policy is written plainly and in
 * UTF-8. So Content-Encoding goes, also one that the answer keeps or sets; Content-Type says UTF-8 where it says anything,
 * or where its type has a charset parameter; so does an XML declaration.
 * @param text undefined: the body stays
 * @param changes of the headers, as the policy wants them
 * @param original the message's own headers
 * @throws PingAuthError `directive_invalid` for text that has no encoding
 */
export function changedBody(
  text: string | undefined,
  changes: HeaderChanges,
  original: HeaderList,
): Pick<RequestChanges, 'headers' | 'body'> {
  if (text === undefined) return { headers: changes, body: undefined };
  const headers = withoutOldBytes(changes, original);
  if (text === '') return { headers, body: checkBody(text) };
  const types =
    'content-type' in headers ? valuesOf(headers['content-type']) : original.getAll('content-type');
  const corrected = types.map(inUtf8);
  if (corrected.some((type, at) => type !== types[at])) headers['content-type'] = oneOrMany(corrected);
  const isXml = types.some((type) => mediaType(type).kind === 'xml');
  return { headers, body: checkBody(isXml ? withUtf8Declaration(text) : text) };
}

/**
 * The text that a body is replaced with: that of the answer, where it differs from what was shown, or what was shown, where
 * the policy changed the headers that say how to read the bytes, which would be another text, or none. undefined: it stays.
 * @param answered what was shown and does not come back was removed; what was not shown cannot be, but it can be replaced
 * @param changes of the headers, as the policy wants them
 */
export function changedText(answered = '', shown: BodyView, changes: HeaderChanges): string | undefined {
  if (shown.kind !== 'text') return answered === '' ? undefined : answered;
  if (answered !== shown.text) return answered;
  if (isEmpty(changes)) return undefined;
  const names = Object.keys(changes).map(canonicalName);
  if (names.includes('content-encoding')) return shown.text;
  if (!names.includes('content-type')) return undefined;
  const isForeign = (shown.charset ?? 'utf-8') !== 'utf-8';
  const types = valuesOf(changes['content-type']);
  const isUtf8 = !isForeign && types.every((type) => mediaType(type).charsets.every(isUtf8Label));
  return isUtf8 ? undefined : shown.text;
}

/**
 * The changes of a request whose content encoding was decoded for the policy (`encoded_request_bodies`): the upstream gets
 * the decoded bytes, so that it reads what the policy read. A body that the policy changed is plain already.
 */
export function withDecodedBody(
  changes: RequestChanges,
  { headers }: { readonly headers: HeaderList },
  shown: BodyView,
): RequestChanges {
  if (shown.kind !== 'text' || shown.decoded === undefined || changes.body !== undefined) return changes;
  return { ...changes, headers: withoutOldBytes(changes.headers, headers), body: shown.decoded };
}

/** The header changes without what describes the bytes that are replaced: their content encoding and digests. */
function withoutOldBytes(changes: HeaderChanges, original: HeaderList) {
  const isContentEncoding = (name: string) => canonicalName(name) === 'content-encoding';
  const headers = headerChanges();
  for (const name of Object.keys(changes)) {
    const value = changes[name] ?? [];
    if (isRemoval(value) || !isContentEncoding(name)) headers[name] = value;
  }
  for (const name of original.names()) {
    if (isContentEncoding(name) || (OF_OLD_BYTES.has(canonicalName(name)) && !(name in headers)))
      headers[name] = [];
  }
  return headers;
}

/** The Content-Type of the same body in UTF-8; its other parameters, a boundary among them, stay as they are. */
function inUtf8(contentType: string): string {
  const { kind, charsets } = mediaType(contentType);
  if (charsets.length === 0) {
    if (kind !== 'declared' && kind !== 'xml') return contentType;
    return `${contentType.replace(/[;\s]{1,9}$/, '')}; charset=utf-8`;
  }
  if (charsets.every(isUtf8Label)) return contentType;
  const [type = '', ...parameters] = splitParameters(contentType);
  // Without its boundary a form is none.
  const others = parameters.filter((parameter) => {
    const { name } = readParameter(parameter);
    return name === 'boundary' || (name !== 'charset' && !mayNameCharset(parameter));
  });
  // Where a comma stands in the place of the semicolon.
  const plain = mayNameCharset(type) ? type.replace(/,.*/s, '') : type;
  return [plain, ...others, ' charset=utf-8'].join(';');
}

function isUtf8Label(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8';
}
