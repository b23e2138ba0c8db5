// What the texts in a configuration have to look like: tokens of HTTP, URLs of policy providers, vault references.
import { isIP } from 'node:net';
import type { KongPattern } from './kong-field.js';

/** A header name, method or media type part (RFC 9110, token). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The same as a Lua pattern. */
export const TOKEN_LUA_PATTERN = "^[%w!#$%%&'*+.^_`|~-]+$";

export function isToken(value: string): boolean {
  return TOKEN.test(value);
}

/** The same rules as far as Lua patterns can say them, so that Kong answers a mistake at once with 400. */
export const SERVICE_URL_PATTERNS = {
  match_all: [
    {
      pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[^/%s]',
      err: 'must start with https:// (or http://) and a host name',
    },
  ],
  match_none: [
    { pattern: '[%s%c\\]', err: 'must not contain spaces, line breaks or backslashes' },
    { pattern: '^%a+://[^/?]*@', err: 'must not contain credentials; use shared_secret' },
    { pattern: '#', err: 'must not contain a fragment (#)' },
    {
      pattern: '[^/]/sideband/?$',
      err: 'must not end in /sideband; the plugin appends /sideband/request itself',
    },
    {
      pattern: '[^/]/sideband/re[qs][up]%a+/?$',
      err: 'must not contain /sideband/request or /sideband/response; the plugin appends them itself',
    },
  ],
} as const satisfies Record<string, readonly KongPattern[]>;

/** What is wrong with the base URL of a policy provider. Never repeats credentials or a query. */
export function serviceUrlProblem(value: string): string | undefined {
  // URL() would silently repair these, and Kong, we and the log would then mean different things by one string.
  if (/[\s\\]/.test(value) || hasControlCharacter(value)) {
    return 'contains a space, line break or backslash; remove it';
  }
  if (!/^https?:\/\/[^/]/i.test(value)) return 'must start with https:// (or http://) and a host name';
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined)
    return 'is not a valid URL; expected something like https://pingaccess.example.com:3020';
  if (url.username !== '' || url.password !== '') {
    return 'contains credentials; remove the part before @ and put the secret into shared_secret';
  }
  if (value.includes('#')) return 'contains a fragment; remove # and what follows';
  if (/\/sideband(\/re(quest|sponse))?\/*$/i.test(url.pathname)) {
    return `ends in ${url.pathname}; remove everything from /sideband on, the plugin appends /sideband/request and /sideband/response itself`;
  }
  return undefined;
}

/** One spelling for one provider: scheme and host in lower case, default port dropped, no slashes at the end. */
export function normalizedServiceUrl(value: string): string {
  const url = new URL(value);
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}${url.search}`;
}

/** @param host as `URL` has it, or an IPv6 address without brackets */
export function isLoopback(host: string): boolean {
  const isIPv4 = isIP(host) === 4;
  return ['localhost', '::1', '[::1]'].includes(host) || (isIPv4 && host.startsWith('127.'));
}

export function hasControlCharacter(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

/** A vault reference that Kong does not recognise as one. It would go to the policy provider as if it were the value. */
export const INCOMPLETE_REFERENCE: KongPattern = {
  // Kong does not apply patterns to whole references, so every text that begins like one is incomplete.
  pattern: '^[%s{"\']*{%s*vault:',
  err: 'is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }',
};
export const REFERENCE_WITHOUT_BRACES: KongPattern = {
  pattern: '^[%s"\']*vault://',
  err: 'is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }',
};

export function referenceProblem(value: string): string | undefined {
  if (/^[\s{"']*\{\s*vault:/.test(value)) return INCOMPLETE_REFERENCE.err;
  if (/^[\s"']*vault:\/\//.test(value)) return REFERENCE_WITHOUT_BRACES.err;
  return undefined;
}
