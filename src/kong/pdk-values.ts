import { isIP } from 'node:net';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { HeaderList } from '../http/headers.js';

/**
 * Readers for what PDK calls return. The two protocols show the same thing in different ways (a missing value is undefined,
 * null or ''; header values are strings or lists; an empty Lua table may arrive as a list), and a value of an unexpected
 * kind means that the request cannot be described to the policy: it is refused, never guessed.
 *
 * All of them throw PingAuthError `internal_error`, which names the call, unless they say otherwise.
 */
export function optionalString(value: unknown, call: string): string | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw unexpected(call, value);
}

export function requiredString(value: unknown, call: string): string {
  const text = optionalString(value, call);
  if (text === undefined) throw unexpected(call, value);
  return text;
}

export function requiredInteger(value: unknown, call: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw unexpected(call, value);
}

/**
 * Kong gives the version as a number: 1, 1.1 or 2. nginx also takes `HTTP/1.15` from a client, for which Kong has none, and a
 * request line without any for 0.9 (seen on a running Kong); these are the client's doing.
 * @throws PingAuthError `request_unreadable` for another number, and for none
 */
export function httpVersion(value: unknown, call: string): string {
  if (value === 1) return '1.0';
  if (value === 1.1) return '1.1';
  if (value === 2 || value === 3) return String(value);
  if (typeof value === 'number' || value === undefined || value === null || value === '') {
    throw new PingAuthError('request_unreadable', { detail: 'HTTP version is none of 1.0, 1.1, 2' });
  }
  throw unexpected(call, value);
}

/** Names in lower case, as Kong gives them; every value of a repeated header is a field of its own. */
export function headerList(value: unknown, call: string): HeaderList {
  if (value === undefined || value === null) return HeaderList.empty;
  if (typeof value !== 'object') throw unexpected(call, value);
  return HeaderList.fromMap(value, (name, entry) => unexpected(`${call} (header ${name})`, entry));
}

const NO_BYTES = new Uint8Array(0);

export function bytes(value: unknown, call: string): Uint8Array {
  if (value === undefined || value === null || value === '') return NO_BYTES;
  if (value instanceof Uint8Array) return value;
  throw unexpected(call, value);
}

function unexpected(call: string, value: unknown): PingAuthError {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
  return new PingAuthError('internal_error', { detail: `Kong answered ${call} with ${kind}` });
}

/** The nginx variable of kong/nginx/ping-auth-http.conf. */
export const REQUEST_VARIABLE = 'ping_auth_request';

const SEPARATOR = '\u001f';
/** First field; another one is a file of another version. */
const MARK = `ping-auth-1${SEPARATOR}`;
const FIELDS = 12;
/**
 * Only what nginx writes for the four versions it knows. It also takes `HTTP/1.01` and `HTTP/1.7` from a client; what Kong
 * makes of those, Kong shall say.
 */
const VERSIONS: Readonly<Record<string, string>> = {
  'HTTP/1.0': '1.0',
  'HTTP/1.1': '1.1',
  'HTTP/2.0': '2',
  'HTTP/3.0': '3',
};

/** nginx's own view of a request; nothing in it comes from X-Forwarded-Proto, -Host or -Port. */
export interface RequestVariable {
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  /** The listener's port as nginx writes it; Kong's port_maps can make another one of it. */
  readonly serverPort: string;
  /** Request target as the client sent it, without scheme and host. */
  readonly target: string;
  /** Empty when there is none. */
  readonly query: string;
  readonly httpVersion: string;
  readonly requestId: string | undefined;
  readonly clientCertificatePem: string | undefined;
}

export type VariableReading =
  | { readonly kind: 'read'; readonly variable: RequestVariable }
  /** Something in this request makes it ambiguous (a separator in a value) or odd: ask Kong instead. */
  | { readonly kind: 'unclear' }
  /** Not set up in this Kong, or by a file of another version. No request can make it look like this. */
  | { readonly kind: 'absent' };

/** Takes the variable's value apart. A value that is not exactly as expected is never interpreted. */
export function readRequestVariable(text: string | undefined): VariableReading {
  if (text === undefined || !text.startsWith(MARK)) return { kind: 'absent' };
  const fields = text.split(SEPARATOR);
  if (fields.length !== FIELDS) return { kind: 'unclear' };
  const [, ip = '', port = '', method = '', scheme, host = '', serverPort = '', target = '', ...rest] =
    fields;
  const [query = '', version = '', requestId = '', certificate = ''] = rest;
  const httpVersion = VERSIONS[version];
  if (
    isIP(ip) === 0 ||
    !isPort(port) ||
    method === '' ||
    (scheme !== 'http' && scheme !== 'https') ||
    host === '' ||
    !isPort(serverPort) ||
    !target.startsWith('/') ||
    httpVersion === undefined
  ) {
    return { kind: 'unclear' };
  }
  return {
    kind: 'read',
    variable: {
      sourceIp: ip,
      sourcePort: Number(port),
      method,
      scheme,
      host,
      serverPort,
      target,
      query,
      httpVersion,
      requestId: requestId === '' ? undefined : requestId,
      clientCertificatePem: certificate === '' ? undefined : certificate,
    },
  };
}

function isPort(text: string): boolean {
  return /^[1-9]\d{0,4}$/.test(text);
}
