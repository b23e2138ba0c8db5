import type { HeaderList } from './headers.js';
import { listItems } from './text.js';

/**
 * How those who read a text find out its charset, which differs from type to type:
 * `declared`: they go by the parameter. `xml`: by the parameter, the byte order mark or the XML declaration, whichever
 * they look at. `json`: by the byte order mark or by UTF-8; many never look at the parameter, which JSON does not have.
 * `form`: by UTF-8 or another charset in which ASCII is ASCII; no reader looks at a byte order mark.
 */
export type CharsetDetection = 'declared' | 'xml' | 'json' | 'form';

/** What a Content-Type says of a body. */
export interface MediaType {
  /** `opaque`: not text. `multipart`: form data, text or not by what its parts are. */
  readonly kind: CharsetDetection | 'multipart' | 'opaque';
  /** Type and subtype in lower case, `''` without one. */
  readonly essence: string;
  /** Values of all charset parameters in lower case; more than one is a contradiction. */
  readonly charsets: readonly string[];
  readonly boundary: string | undefined;
}

const NONE: readonly string[] = [];

/** Without a Content-Type it is unknown what the reader takes the body for: it is shown or refused, never left out. */
export const NO_TYPE: MediaType = { kind: 'json', essence: '', charsets: NONE, boundary: undefined };

const KINDS: ReadonlyMap<string, MediaType['kind']> = new Map([
  ['application/json', 'json'],
  ['text/json', 'json'],
  // UTF-8 by definition.
  ['text/event-stream', 'json'],
  ['application/x-www-form-urlencoded', 'form'],
  ['application/graphql', 'json'],
  ['application/x-ndjson', 'json'],
  ['application/ndjson', 'json'],
  ['application/xml', 'xml'],
  ['text/xml', 'xml'],
  ['application/javascript', 'declared'],
  ['application/x-javascript', 'declared'],
  ['application/ecmascript', 'declared'],
  ['multipart/form-data', 'multipart'],
]);

/** RFC 9110, section 8.3.1: two tokens. */
const ESSENCE = /^[!#$%&'*+\-.^_`|~0-9a-z]+\/[!#$%&'*+\-.^_`|~0-9a-z]+$/;

/**
 * What was read before: nearly every message has one of a dozen values. Bounded, and full at worst, since clients choose.
 */
const READ_BEFORE = new Map<string, MediaType>();
const MAX_REMEMBERED = 256;
const LONGEST_REMEMBERED = 80;

/** The media type in a Content-Type header. One that is none (`json`, `a/b, c/d`) counts as text, like a missing one. */
export function mediaType(contentType: string): MediaType {
  const before = READ_BEFORE.get(contentType);
  if (before !== undefined) return before;
  const type = readMediaType(contentType);
  const isWorthIt = contentType.length <= LONGEST_REMEMBERED && type.boundary === undefined;
  if (isWorthIt && READ_BEFORE.size < MAX_REMEMBERED) READ_BEFORE.set(contentType, type);
  return type;
}

/** What a reader that does not know quoted strings, or that splits at commas, takes for a charset; `charset*` is RFC 8187's form. */
const LIKE_A_CHARSET = /(?<![\w-])charset[*\d]*\s*=/gi;
/** Whether some reader may find a charset in this part of a Content-Type. */
export function mayNameCharset(text: string): boolean {
  return text.search(LIKE_A_CHARSET) >= 0;
}

/** In the place of a charset that some readers find and others do not: no label of any, so the body is refused. */
const HIDDEN_CHARSET = 'that only some readers find';

function readMediaType(contentType: string): MediaType {
  const end = contentType.indexOf(';');
  const essence = (end < 0 ? contentType : contentType.slice(0, end)).trim().toLowerCase();
  const kind = kindOf(essence);
  const charsets: string[] = [];
  const boundaries: string[] = [];
  let read = 0;
  for (const parameter of end < 0 ? NONE : splitParameters(contentType.slice(end + 1))) {
    const { name, value } = readParameter(parameter);
    if (name === 'charset') read += 1;
    // Readers take the first or the last of several charsets; an empty one says nothing.
    if (name === 'charset' && value !== '') charsets.push(value.toLowerCase());
    else if (name.startsWith('boundary')) boundaries.push(name === 'boundary' ? value : '');
  }
  if ((contentType.match(LIKE_A_CHARSET)?.length ?? 0) > read) charsets.push(HIDDEN_CHARSET);
  // The same goes for several boundaries, with which a form has other parts to each reader.
  const [boundary, ...others] = boundaries;
  return { kind, essence, charsets, boundary: others.length === 0 ? boundary : undefined };
}

/** The parameters as they stand between the semicolons; a semicolon in a quoted string is none. */
export function splitParameters(parameters: string): string[] {
  if (!parameters.includes('"')) return parameters.split(';');
  const found: string[] = [];
  let quoted = false;
  let start = 0;
  for (let at = 0; at < parameters.length; at += 1) {
    const character = parameters[at];
    if (character === '"') quoted = !quoted;
    else if (character === '\\' && quoted) at += 1;
    else if (character === ';' && !quoted) {
      found.push(parameters.slice(start, at));
      start = at + 1;
    }
  }
  found.push(parameters.slice(start));
  return found;
}

/** Name in lower case, value unquoted. What has no `=` is no parameter: its value is empty. */
export function readParameter(parameter: string): { readonly name: string; readonly value: string } {
  const equals = parameter.indexOf('=');
  if (equals < 0) return { name: parameter.trim().toLowerCase(), value: '' };
  const value = parameter.slice(equals + 1).trim();
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"');
  return {
    name: parameter.slice(0, equals).trim().toLowerCase(),
    value: isQuoted ? value.slice(1, -1).replace(/\\(.)/gs, '$1') : value,
  };
}

function kindOf(essence: string): MediaType['kind'] {
  const known = KINDS.get(essence);
  if (known !== undefined) return known;
  if (!ESSENCE.test(essence)) return NO_TYPE.kind;
  if (essence.endsWith('+json')) return 'json';
  if (essence.endsWith('+xml')) return 'xml';
  return essence.startsWith('text/') ? 'declared' : 'opaque';
}

/**
 * Content encodings of a body in the order in which they were applied, in lower case, without `identity`. A server that
 * reads headers as CGI variables takes `Content_Encoding` for the same header, so it counts as well.
 */
export function contentEncodingsOf(headers: Pick<HeaderList, 'getAll'>): readonly string[] {
  const values = headers.getAll('content-encoding');
  const others = headers.getAll('content_encoding');
  if (values.length === 0 && others.length === 0) return NONE;
  return listItems([...values, ...others]).filter((encoding) => encoding !== 'identity');
}
