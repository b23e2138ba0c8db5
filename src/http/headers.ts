import { listItems } from './text.js';

/** One header as it stands on the wire: the name in whatever case, one value. */
export type HeaderField = readonly [name: string, value: string];

/** What Kong takes: all values of a name together; an empty list takes the header away. Names in lower case. */
export type HeaderChanges = Readonly<Record<string, string | readonly string[]>>;

const NO_VALUES: readonly string[] = [];

/**
 * Immutable, ordered, multi-valued HTTP headers with case-insensitive names.
 *
 * Names are kept in lower case: Kong hands them over that way, and the policy provider expects it. A value may hold
 * bytes that are not UTF-8; such a byte 0xNN stands in the string as the lone surrogate U+DCNN, so that no byte is lost
 * (see text.ts).
 */
export class HeaderList implements Iterable<HeaderField> {
  static readonly empty = new HeaderList([]);
  /** In order; names in lower case. */
  readonly fields: readonly HeaderField[];

  private constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  static from(fields: Iterable<HeaderField>): HeaderList {
    const list: HeaderField[] = [];
    for (const [name, value] of fields) list.push([name.toLowerCase(), value]);
    return new HeaderList(list);
  }

  /**
   * From the maps that Kong's `get_headers` returns: a string for one value, a list for several.
   * @param unexpected makes the error for a value that is neither
   */
  static fromMap(map: object, unexpected: (name: string, value: unknown) => Error): HeaderList {
    const list: HeaderField[] = [];
    for (const key of Object.keys(map)) {
      const name = key.toLowerCase();
      const value: unknown = (map as Readonly<Record<string, unknown>>)[key];
      if (typeof value === 'string') {
        list.push([name, value]);
        continue;
      }
      if (!Array.isArray(value)) throw unexpected(key, value);
      for (const one of value as readonly unknown[]) {
        if (typeof one !== 'string') throw unexpected(key, value);
        list.push([name, one]);
      }
    }
    return new HeaderList(list);
  }

  /** How many fields there are, a repeated header counted as often as it occurs. */
  get size(): number {
    return this.fields.length;
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.fields[Symbol.iterator]();
  }

  /** Distinct names in order of first occurrence. */
  names(): string[] {
    return [...new Set(this.fields.map(([name]) => name))];
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The first value, or undefined. A message has a score of headers: walking them is quicker than an index. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (const field of this.fields) if (field[0] === wanted) return field[1];
    return undefined;
  }

  getAll(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    let values: string[] | undefined;
    for (const field of this.fields) {
      if (field[0] !== wanted) continue;
      if (values === undefined) values = [field[1]];
      else values.push(field[1]);
    }
    return values ?? NO_VALUES;
  }

  filter(keep: (name: string, value: string) => boolean): HeaderList {
    return new HeaderList(this.fields.filter(([name, value]) => keep(name, value)));
  }

  /** With the changes made. A changed header keeps the place of its first field; new ones follow at the end. */
  with(changes: HeaderChanges): HeaderList {
    if (isEmpty(changes)) return this;
    const fields: HeaderField[] = [];
    const missing = new Set(Object.keys(changes));
    for (const field of this.fields) {
      const [name] = field;
      if (!Object.hasOwn(changes, name)) fields.push(field);
      else if (missing.delete(name)) for (const value of valuesOf(changes[name])) fields.push([name, value]);
    }
    for (const name of missing) for (const value of valuesOf(changes[name])) fields.push([name, value]);
    return new HeaderList(fields);
  }

  /** As Kong takes headers: every name once, all its values in order. */
  toRecord(): HeaderChanges {
    const record: Record<string, string | string[]> = Object.create(null);
    for (const [name, value] of this.fields) {
      const before = record[name];
      if (before === undefined) record[name] = value;
      else if (typeof before === 'string') record[name] = [before, value];
      else before.push(value);
    }
    return record;
  }
}

export const NO_HEADER_CHANGES: HeaderChanges = Object.freeze(Object.create(null));

/** To be filled. Without a prototype, since `__proto__` can be the name of a header. */
export function headerChanges(from?: HeaderChanges): Record<string, string | readonly string[]> {
  return Object.assign(Object.create(null), from);
}

export function valuesOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? NO_VALUES : typeof value === 'string' ? [value] : value;
}

/** A single value as a string: it is what Kong itself would hold, and the shorter message. */
export function oneOrMany(values: readonly string[]): string | readonly string[] {
  const [only] = values;
  return only !== undefined && values.length === 1 ? only : values;
}

/** Whether a change takes the header away. */
export function isRemoval(value: string | readonly string[] | undefined): boolean {
  return typeof value === 'object' && value.length === 0;
}

export function isEmpty(changes: HeaderChanges): boolean {
  for (const _ in changes) return false;
  return true;
}

/** Marks a request that was forwarded without a decision (`fail_open_request`); never taken from a client. */
export const MARK_HEADER = 'x-ping-auth';

/** Headers of one connection or of a message's framing. nginx writes its own; a wrong one hangs or splits the message. */
const FRAMING = [
  ...['connection', 'content-length', 'keep-alive', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
];

/**
 * Not in the lists: `proxy-authorization` and `proxy-authenticate`. Kong passes both on, so the policy must be able to
 * take them away.
 */
const REQUEST_FRAMING: ReadonlySet<string> = new Set([...FRAMING, 'expect', 'http2-settings']);
const RESPONSE_FRAMING: ReadonlySet<string> = new Set(FRAMING);

/**
 * Kong writes these itself after all plugins, whatever a plugin set or cleared (recorded). Other X-Forwarded-* are free.
 * `proxy` it removes (httpoxy).
 */
export const KONG_REQUEST_HEADERS: ReadonlySet<string> = new Set([
  ...['proxy', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-path', 'x-forwarded-port'],
  ...['x-forwarded-prefix', 'x-forwarded-proto', 'x-kong-request-id', 'x-real-ip'],
]);
const KONG_RESPONSE_HEADERS: ReadonlySet<string> = new Set([
  ...['via', 'x-kong-proxy-latency', 'x-kong-request-id', 'x-kong-response-latency'],
  'x-kong-upstream-latency',
]);

/** Kong and nginx see to these in a response: an exit writes its own, and clearing or setting one changes the framing. */
export const LEFT_TO_KONG: ReadonlySet<string> = new Set([
  ...['connection', 'content-length', 'date', 'transfer-encoding'],
]);

/**
 * nginx has one slot for each of these: of two lines that a plugin sets only the last goes out, and of two that a client sent
 * one stays when a plugin sets it (nginx's ngx_http_headers_in and lua-nginx-module's setters; seen on a running Kong).
 */
export const SINGLETONS_IN_REQUEST: ReadonlySet<string> = new Set([
  ...['host', 'connection', 'user-agent', 'referer', 'content-length', 'content-type', 'range'],
  ...['transfer-encoding', 'expect', 'upgrade', 'accept-encoding', 'via', 'authorization', 'keep-alive'],
  ...['x-real-ip', 'if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match', 'if-range'],
  // Where nginx is built with WebDAV.
  ...['depth', 'destination', 'overwrite', 'date'],
]);
export const SINGLETONS_IN_RESPONSE: ReadonlySet<string> = new Set([
  ...['server', 'date', 'content-encoding', 'content-type', 'content-length', 'refresh', 'last-modified'],
  ...['content-range', 'accept-ranges', 'www-authenticate', 'expires', 'etag', 'e-tag', 'location'],
]);

/** `x_role` and `x-role` are one header to an upstream that reads them as CGI variables. */
export function canonicalName(name: string): string {
  return name.includes('_') ? name.replaceAll('_', '-') : name;
}

/**
 * Whether a name in a request imitates one that Kong, nginx or the policy's check of the body goes by: an upstream that reads
 * CGI variables takes `Content_Length` for the length, `Content_Type` for the type and `X_Forwarded_For` for Kong's own.
 */
export function isImitation(name: string): boolean {
  if (!name.includes('_')) return false;
  const canonical = canonicalName(name);
  return (
    REQUEST_FRAMING.has(canonical) ||
    KONG_REQUEST_HEADERS.has(canonical) ||
    (SINGLETONS_IN_REQUEST.has(canonical) && canonical !== 'accept-encoding') ||
    canonical === 'content-encoding'
  );
}

/**
 * Never to the upstream, whatever the policy says: Accept-Encoding, as with the existing plugin; our own mark, so that no
 * client can claim it.
 */
export function isAlwaysRemoved(name: string): boolean {
  const canonical = canonicalName(name);
  return canonical === 'accept-encoding' || canonical === MARK_HEADER;
}

/** `Transfer_Encoding` is one too: some servers read it like the real one. */
export function isRequestFraming(name: string): boolean {
  return REQUEST_FRAMING.has(canonicalName(name));
}

/** Not the policy's to set in a request: the gateway's own. */
export function isReservedInRequest(name: string): boolean {
  return isRequestFraming(name) || KONG_REQUEST_HEADERS.has(name) || isAlwaysRemoved(name);
}

/** Not the policy's to set in a response. */
export function isReservedInResponse(name: string): boolean {
  return RESPONSE_FRAMING.has(canonicalName(name)) || KONG_RESPONSE_HEADERS.has(name);
}

const NO_TOKENS: ReadonlySet<string> = new Set();

/** Names in the message's own Connection headers, in lower case: Kong takes those headers off after all plugins ran. */
export function connectionTokens(headers: HeaderList): ReadonlySet<string> {
  const values = headers.getAll('connection');
  if (values.length === 0) return NO_TOKENS;
  return new Set(listItems(values));
}
