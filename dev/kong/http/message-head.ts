import type { ByteReader } from './byte-reader.js';

/** One header line; name and value hold one character per byte (latin1), as nginx keeps them. */
export interface HeaderLine {
  name: string;
  value: string;
}

/**
 * nginx's list of header lines. Setting a header that is there already changes the first line in place, keeps the
 * spelling it had and drops the others; further values are appended with the new spelling.
 */
export class HeaderLines {
  readonly lines: HeaderLine[];

  constructor(lines: readonly HeaderLine[] = []) {
    this.lines = lines.map((line) => ({ ...line }));
  }

  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.lines.find((line) => line.name.toLowerCase() === wanted)?.value;
  }

  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.lines.filter((line) => line.name.toLowerCase() === wanted).map((line) => line.value);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  add(name: string, value: string): void {
    this.lines.push({ name, value });
  }

  /** An empty list removes the header. `respell` gives the first line the new spelling (nginx's built-in headers). */
  set(name: string, values: readonly string[], respell = false): void {
    const wanted = name.toLowerCase();
    const [first, ...rest] = values;
    const at = this.lines.findIndex((line) => line.name.toLowerCase() === wanted);
    if (first === undefined || at < 0) {
      this.remove(name);
      for (const value of values) this.add(name, value);
      return;
    }
    const kept = this.lines[at];
    if (kept === undefined) return;
    for (let i = this.lines.length - 1; i > at; i--) {
      if (this.lines[i]?.name.toLowerCase() === wanted) this.lines.splice(i, 1);
    }
    kept.value = first;
    if (respell) kept.name = name;
    for (const value of rest) this.add(name, value);
  }

  /** Changes the first line of that name and leaves the others; without one, the line is added. */
  setFirst(name: string, value: string): void {
    const wanted = name.toLowerCase();
    const first = this.lines.find((line) => line.name.toLowerCase() === wanted);
    if (first === undefined) this.add(name, value);
    else first.value = value;
  }

  remove(name: string): boolean {
    const wanted = name.toLowerCase();
    const before = this.lines.length;
    for (let i = this.lines.length - 1; i >= 0; i--) {
      if (this.lines[i]?.name.toLowerCase() === wanted) this.lines.splice(i, 1);
    }
    return this.lines.length < before;
  }

  /** Lower-case name → value, or the list of values when there are several; at most `max` lines are looked at. */
  table(max: number): Record<string, string | string[]> {
    const table: Record<string, string | string[]> = Object.create(null);
    for (const { name, value } of this.lines.slice(0, max)) {
      const key = name.toLowerCase();
      const known = table[key];
      if (known === undefined) table[key] = value;
      else if (Array.isArray(known)) known.push(value);
      else table[key] = [known, value];
    }
    return table;
  }
}

export interface HeadLimits {
  /** Longest line, request line included. */
  readonly line: number;
  /** All lines together. */
  readonly total: number;
  readonly headers: number;
}

export interface RequestHead {
  readonly requestLine: string;
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.1`, as nginx's `$server_protocol`; empty for HTTP/0.9. */
  readonly protocol: string;
  /** As nginx serves it: any other 1.x as 1.1. */
  readonly version: 0.9 | 1 | 1.1;
  /** As lua-nginx-module tells it; undefined for versions that it has no number for. */
  readonly toldVersion: 0.9 | 1 | 1.1 | undefined;
  readonly headers: HeaderLine[];
  /** Bytes of the head; nginx's preread of the body depends on it. */
  readonly length: number;
}

/** nginx refuses the request before Kong's router sees it. */
export class HeadRefused extends Error {
  override readonly name = 'HeadRefused';
  constructor(
    readonly status: number,
    /** The text of the error page: the one nginx error has its own number (494) but is sent as 400. */
    readonly page: 'bad_request' | 'header_too_large' | 'uri_too_long' | 'not_allowed' | 'nginx',
    /** As far as it was understood, for the error page's content type. */
    readonly headers: readonly HeaderLine[] = [],
  ) {
    super(`refused with ${status}`);
  }
}

/** The next request's head; undefined when the client closed. @throws HeadRefused */
export async function readRequestHead(
  reader: ByteReader,
  limits: HeadLimits,
): Promise<RequestHead | undefined> {
  let length = 0;
  const next = async (): Promise<string | undefined> => {
    for (;;) {
      const view = reader.view();
      const at = view.indexOf(0x0a);
      if (at > limits.line || (at < 0 && view.length > limits.line)) return undefined;
      if (at >= 0) {
        const text = view.subarray(0, at).toString('latin1');
        reader.skip(at + 1);
        length += at + 1;
        return text.endsWith('\r') ? text.slice(0, -1) : text;
      }
      // nginx looks at each byte as it comes: what can be no method is refused at once.
      if (length === 0 && /^[^A-Z_\-\r\n]/.test(view.toString('latin1', 0, 1))) {
        throw new HeadRefused(400, 'bad_request');
      }
      if (!(await reader.more())) throw new ClientClosed();
    }
  };
  try {
    let line = await next();
    while (line === '') line = await next();
    if (line === undefined) throw new HeadRefused(414, 'uri_too_long');
    const start = requestLine(line);
    const headers: HeaderLine[] = [];
    // HTTP/0.9 is its request line.
    if (start.version < 1) return { ...start, headers, length };
    let count = 0;
    for (;;) {
      const text = await next();
      if (text === '') break;
      if (text === undefined || length > limits.total || ++count > limits.headers) {
        throw new HeadRefused(400, 'header_too_large', headers);
      }
      const header = headerLine(text, headers);
      if (header !== undefined) headers.push(header);
    }
    checkFraming(start.version, headers);
    if (start.method === 'TRACE') throw new HeadRefused(405, 'not_allowed', headers);
    return { ...start, headers, length };
  } catch (error) {
    if (error instanceof ClientClosed) return undefined;
    throw error;
  }
}

class ClientClosed extends Error {}

function requestLine(line: string): Omit<RequestHead, 'headers' | 'length'> {
  const parts = /^([A-Z_-]+) +([^ ]+)(?: +(HTTP\/(\d+)\.(\d+)) *)?$/.exec(line);
  const [, method, target, protocol = '', major] = parts ?? [];
  if (method === undefined || target === undefined || (protocol === '' && method !== 'GET')) {
    throw new HeadRefused(400, 'bad_request');
  }
  if (Number(major) > 1) throw new HeadRefused(505, 'nginx');
  if (method === 'CONNECT') throw new HeadRefused(400, 'bad_request');
  const toldVersion = TOLD_VERSIONS.get(protocol);
  return { requestLine: line, method, target, protocol, version: toldVersion ?? 1.1, toldVersion };
}

const TOLD_VERSIONS: ReadonlyMap<string, 0.9 | 1 | 1.1> = new Map([
  ['', 0.9],
  ['HTTP/1.0', 1],
  ['HTTP/1.1', 1.1],
]);

/** Undefined for a name nginx ignores (a dot, odd characters). */
function headerLine(text: string, soFar: readonly HeaderLine[]): HeaderLine | undefined {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ +| +$/g, '');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a header with one of these is refused
  if (name === '' || /[\x00-\x20\x7f]/.test(name) || /[\x00\r]/.test(value)) {
    throw new HeadRefused(400, 'bad_request', soFar);
  }
  return /^[A-Za-z0-9_-]+$/.test(name) ? { name, value } : undefined;
}

/** nginx refuses a request that has one of these twice (1.25.3: `ngx_http_process_unique_header_line`). */
const UNIQUE = new Set(
  `host content-length content-range transfer-encoding expect authorization if-modified-since if-unmodified-since if-match
   if-none-match if-range`.split(/\s+/),
);

/** A header that may stand in a request once stands in it twice. */
export function repeatsUnique(headers: readonly HeaderLine[]): boolean {
  const names = headers.map(({ name }) => name.toLowerCase()).filter((name) => UNIQUE.has(name));
  return new Set(names).size < names.length;
}

function checkFraming(version: number, headers: readonly HeaderLine[]): void {
  const all = (name: string): string[] =>
    headers.filter((line) => line.name.toLowerCase() === name).map((line) => line.value);
  const hosts = all('host');
  const lengths = all('content-length');
  const contentEncodings = all('transfer-encoding');
  const bad =
    repeatsUnique(headers) ||
    (hosts.length === 0 && version > 1) ||
    (lengths.length > 0 && contentEncodings.length > 0) ||
    (lengths[0] !== undefined && !/^\d+$/.test(lengths[0]));
  if (bad) throw new HeadRefused(400, 'bad_request', headers);
  if (contentEncodings[0] !== undefined && contentEncodings[0].toLowerCase() !== 'chunked') {
    throw new HeadRefused(501, 'nginx', headers);
  }
}
