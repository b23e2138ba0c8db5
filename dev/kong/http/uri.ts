/** Paths as nginx and Kong see them. All strings hold one character per byte. */

/** The client's target cannot be used; nginx answers 400. */
export class BadUri extends Error {
  override readonly name = 'BadUri';
}

export interface SplitTarget {
  /** What came before the query, as the client wrote it. */
  readonly path: string;
  /** Query without its question mark; undefined when there was none. */
  readonly args: string | undefined;
}

/** Origin or absolute form; anything else is refused. @throws BadUri */
export function splitTarget(
  target: string,
): SplitTarget & { readonly requestUri: string; readonly authority: string | undefined } {
  let origin = target;
  const absolute = /^https?:\/\/([^/?#]*)/i.exec(target);
  if (absolute !== null) origin = target.slice(absolute[0].length);
  if (absolute !== null && !origin.startsWith('/')) origin = `/${origin}`;
  if (!origin.startsWith('/')) throw new BadUri(target);
  const end = origin.search(/[?#]/);
  const path = end < 0 ? origin : origin.slice(0, end);
  const query = /^[^?#]*\?([^#]*)/.exec(origin)?.[1];
  return { path, args: query, requestUri: origin, authority: absolute?.[1] };
}

/** nginx's `$host` for a Host header or an absolute target: in lower case, cut at the port, without a trailing dot. */
export function nginxHost(authority: string): string {
  const [name = ''] = /^(?:\[[^\]]*\]|[^:]*)/.exec(authority) ?? [];
  return name.toLowerCase().replace(/\.$/, '');
}

/** nginx's `$uri`: every escape decoded, dots resolved, slashes merged. @throws BadUri */
export function nginxUri(path: string): string {
  const decoded = path.replace(/%(..)?/gs, (_all, hex: string | undefined) => {
    if (hex === undefined || !/^[0-9a-f]{2}$/i.test(hex)) throw new BadUri(path);
    const code = Number.parseInt(hex, 16);
    if (code === 0) throw new BadUri(path);
    return String.fromCharCode(code);
  });
  return resolveDots(decoded, true);
}

const RESERVED = new Set("!#$%&'()*+,/:;=?@[]");

/** Kong's path for routing, for `get_path` and for the upstream: escapes decoded except those of reserved characters. */
export function kongPath(path: string): string {
  const decoded = path.replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => {
    const char = String.fromCharCode(Number.parseInt(hex, 16));
    return RESERVED.has(char) ? `%${hex.toUpperCase()}` : char;
  });
  return resolveDots(decoded, false);
}

function resolveDots(path: string, strict: boolean): string {
  const out: string[] = [];
  const segments = path.split('/').slice(1);
  segments.forEach((segment, i) => {
    const last = i === segments.length - 1;
    if (segment === '.' || segment === '..') {
      if (segment === '..' && out.pop() === undefined && strict) throw new BadUri(path);
      if (last) out.push('');
    } else if (segment !== '' || last) {
      out.push(segment);
    }
  });
  return `/${out.join('/')}`;
}

/** How Kong writes a path on the upstream's request line. Percent signs are left alone. */
export function escapePath(path: string): string {
  return path.replace(/[^!#$%&'()*+,/:;=?@[\]A-Za-z0-9\-._~]/g, percent);
}

/** What `set_raw_query` escapes: control characters and the space. */
export function escapeQuery(query: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  return query.replace(/[\x00-\x20\x7f]/g, percent);
}

/** One name or value of `set_query`. */
export function escapeArgument(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~!'()*]/g, percent);
}

/** nginx's escaping of a header value that Lua sets: control characters except the tab. */
export function escapeHeaderValue(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  return value.replace(/[\x00-\x08\x0a-\x1f\x7f]/g, percent);
}

/** nginx's escaping of a header name that Lua sets: everything that is no token character. */
export function escapeHeaderName(name: string): string {
  return name.replace(/[^!#$%&'*+\-.^_`|~A-Za-z0-9]/g, percent);
}

function percent(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

/** Query arguments as a table: decoded, a repeated one as a list, one without a value as true; at most `max`. */
export function parseArgs(args: string, max: number): Record<string, QueryValue> {
  const table: Record<string, QueryValue> = Object.create(null);
  for (const part of args
    .split('&')
    .filter((text) => text !== '')
    .slice(0, max)) {
    const at = part.indexOf('=');
    const name = unescapeArgument(at < 0 ? part : part.slice(0, at));
    if (name === '') continue;
    const value: string | true = at < 0 ? true : unescapeArgument(part.slice(at + 1));
    const known = table[name];
    table[name] = known === undefined ? value : Array.isArray(known) ? [...known, value] : [known, value];
  }
  return table;
}

export type QueryValue = string | true | (string | true)[];

function unescapeArgument(text: string): string {
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9a-f]{2})/gi, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
