import { withUtf8Declaration } from '../http/charset.js';
import {
  type HeaderChanges,
  type HeaderList,
  headerChanges,
  isEmpty,
  isRemoval,
  oneOrMany,
  valuesOf,
} from '../http/header-list.js';
import { canonicalName } from '../http/header-rules.js';
import { mayNameCharset, mediaType, readParameter, splitParameters } from '../http/media-type.js';
import type { BodyView } from '../http/message.js';
import type { RequestChanges } from './decision.js';
import { checkBody } from './validation.js';

/** They describe the old bytes. One that the policy itself sets is about the new ones and stays. */
const OF_OLD_BYTES: ReadonlySet<string> = new Set([
  'accept-ranges',
  'content-digest',
  'content-md5',
  'digest',
  'etag',
  'repr-digest',
]);

/** A body from the policy, and the headers with which it goes on. */
export interface ChangedBody {
  readonly bytes: Uint8Array;
  readonly headers: HeaderChanges;
}

/**
 * A body from the policy is written plainly and in UTF-8. So Content-Encoding goes, also one that the answer keeps or
 * sets; Content-Type says UTF-8 where it says anything, or where its type has a charset parameter; so does an XML
 * declaration.
 * @param changes of the headers, as the policy wants them
 * @param original the message's own headers
 * @throws PingAuthError `directive_invalid` for text that has no encoding
 */
export function changedBody(text: string, changes: HeaderChanges, original: HeaderList): ChangedBody {
  const headers = withoutOldBytes(changes, original);
  if (text === '') return { bytes: checkBody(text), headers };

  const types =
    'content-type' in headers ? valuesOf(headers['content-type']) : original.getAll('content-type');
  const corrected = types.map(inUtf8);
  if (corrected.some((type, at) => type !== types[at])) headers['content-type'] = oneOrMany(corrected);
  const isXml = types.some((type) => mediaType(type).kind === 'xml');
  return { bytes: checkBody(isXml ? withUtf8Declaration(text) : text), headers };
}

/**
 * The changes with which a request goes on whose content encoding was decoded for the policy (`encoded_request_bodies`): the
 * upstream gets the decoded bytes, so that it reads what the policy read. A body that the policy changed is plain already.
 */
export function withDecodedBody(
  changes: RequestChanges,
  { headers }: { readonly headers: HeaderList },
  shown: BodyView,
): RequestChanges {
  if (shown.kind !== 'text' || shown.decoded === undefined || changes.body !== undefined) return changes;
  return { ...changes, headers: withoutOldBytes(changes.headers, headers), body: shown.decoded };
}

/** The header changes without what describes the bytes that do not go on: their content encoding and digests. */
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

/**
 * The text of a body that the policy left alone while it changed the headers that say how to read the bytes: they would
 * be another text now, or none, so that text has to be written anew. undefined when the bytes may stay.
 * @param changes of the headers, as the policy wants them
 */
export function textOfOtherHeaders(shown: BodyView, changes: HeaderChanges): string | undefined {
  if (shown.kind !== 'text') return undefined;
  if (isEmpty(changes)) return undefined;
  const names = Object.keys(changes);
  const isChanged = (wanted: string) => names.some((name) => canonicalName(name) === wanted);
  if (isChanged('content-encoding')) return shown.text;
  if (!isChanged('content-type')) return undefined;
  const isForeign = (shown.charset ?? 'utf-8') !== 'utf-8';
  const types = valuesOf(changes['content-type']);
  return isForeign || types.some((type) => !mediaType(type).charsets.every(isUtf8Label))
    ? shown.text
    : undefined;
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
