import type { HeaderList } from './header-list.js';

/** Headers of one connection or of a message's framing. nginx writes its own; a wrong one hangs or splits the message. */
const FRAMING = [
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/**
 * Not in the lists: `proxy-authorization` and `proxy-authenticate`. Kong passes both on, so the policy must be able to
 * take them away.
 */
const REQUEST_FRAMING = new Set([...FRAMING, 'expect', 'http2-settings']);
const RESPONSE_FRAMING = new Set(FRAMING);

/** Kong writes these itself after all plugins, whatever a plugin set or cleared (recorded). Other X-Forwarded-* are free. */
const KONG_REQUEST_HEADERS = new Set([
  // Kong takes this one off (httpoxy).
  'proxy',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-path',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-kong-request-id',
  'x-real-ip',
]);
const KONG_RESPONSE_HEADERS = new Set([
  'via',
  'x-kong-proxy-latency',
  'x-kong-request-id',
  'x-kong-response-latency',
  'x-kong-upstream-latency',
]);

/** Kong and nginx see to these in a response: an exit sets them anew, and clearing or setting one changes the framing. */
const LEFT_TO_KONG = new Set(['connection', 'content-length', 'date', 'transfer-encoding']);

/** Marks a request that went on without a decision (`fail_open_request`); never taken from a client. */
export const MARK_HEADER = 'x-ping-auth';

/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether a text can be the name of a header. */
export function isToken(name: string): boolean {
  return TOKEN.test(name);
}

/** All but the tab: what nginx takes in a header value from a client, and no value may have. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL_CHARACTER = /[\x00-\x08\x0a-\x1f\x7f]/;

export function hasControlCharacter(value: string): boolean {
  return CONTROL_CHARACTER.test(value);
}

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
    (SINGLETON_IN_REQUEST.has(canonical) && canonical !== 'accept-encoding') ||
    canonical === 'content-encoding'
  );
}

/** `Transfer_Encoding` is one too: some servers read it like the real one. */
export function isRequestFraming(name: string): boolean {
  return REQUEST_FRAMING.has(canonicalName(name));
}

export function isResponseFraming(name: string): boolean {
  return RESPONSE_FRAMING.has(canonicalName(name));
}

/**
 * Never to the upstream, whatever the policy says: Accept-Encoding, as with the existing plugin; our own mark, so that no
 * client can claim it.
 */
export function isAlwaysRemoved(name: string): boolean {
  const canonical = canonicalName(name);
  return canonical === 'accept-encoding' || canonical === MARK_HEADER;
}

/** Not the policy's to set in a request: the gateway's own. */
export function isReservedInRequest(name: string): boolean {
  return isRequestFraming(name) || isKongRequestHeader(name) || isAlwaysRemoved(name);
}

export function isKongRequestHeader(name: string): boolean {
  return KONG_REQUEST_HEADERS.has(name);
}

export function isKongResponseHeader(name: string): boolean {
  return KONG_RESPONSE_HEADERS.has(name);
}

export function isLeftToKong(name: string): boolean {
  return LEFT_TO_KONG.has(name);
}

/**
 * nginx has one slot for each of these: of two lines that a plugin sets only the last goes out, and of two that a client sent
 * one stays when a plugin sets it (nginx's ngx_http_headers_in and lua-nginx-module's setters; seen on a running Kong).
 */
const SINGLETON_IN_REQUEST = new Set([
  ...['host', 'connection', 'user-agent', 'referer', 'content-length', 'content-type', 'range'],
  ...['transfer-encoding', 'expect', 'upgrade', 'accept-encoding', 'via', 'authorization', 'keep-alive'],
  ...['x-real-ip', 'if-modified-since', 'if-unmodified-since', 'if-match', 'if-none-match', 'if-range'],
  // Where nginx is built with WebDAV.
  ...['depth', 'destination', 'overwrite', 'date'],
]);
const SINGLETON_IN_RESPONSE = new Set([
  ...['server', 'date', 'content-encoding', 'content-type', 'content-length', 'refresh', 'last-modified'],
  ...['content-range', 'accept-ranges', 'www-authenticate', 'expires', 'etag', 'e-tag', 'location'],
]);

export function isSingletonInRequest(name: string): boolean {
  return SINGLETON_IN_REQUEST.has(name);
}

export function isSingletonInResponse(name: string): boolean {
  return SINGLETON_IN_RESPONSE.has(name);
}

const NO_TOKENS: ReadonlySet<string> = new Set();

/** Names in the message's own Connection headers, in lower case: Kong takes those headers off after all plugins ran. */
export function connectionTokens(headers: HeaderList): ReadonlySet<string> {
  if (!headers.has('connection')) return NO_TOKENS;
  const tokens = new Set<string>();
  for (const value of headers.getAll('connection')) {
    for (const token of value.split(',')) {
      const name = token.trim().toLowerCase();
      if (name !== '') tokens.add(name);
    }
  }
  return tokens;
}
