// What the texts in a configuration have to look like: header names, secrets, URLs of policy providers.
import { isIP } from 'node:net';
import { isToken } from '../http/text.js';
import type { TextFormat } from './field.js';

/** A token of HTTP (RFC 9110), as a Lua pattern. */
export const TOKEN_PATTERN = "^[%w!#$%%&'*+.^_`|~-]+$";

/** Of a list. */
export const HEADER_NAME: TextFormat = {
  check: (value) =>
    isToken(value)
      ? undefined
      : `${JSON.stringify(value.slice(0, 40))} is not a header name; leave out spaces and colons`,
  prepare: (value) => value.toLowerCase(),
  match_all: [{ pattern: TOKEN_PATTERN, err: 'must be a header name' }],
};

/** What authenticates this gateway to a policy provider. */
export const SECRET: TextFormat = {
  check(value) {
    if (/\p{Cc}/u.test(value))
      return 'contains a line break or another control character (often the newline at the end of a file); remove it';
    if (value.trim() !== value) return 'starts or ends with a space; remove it';
    if (/<\s*client[\s_-]*name\s*>/i.test(value))
      return 'still contains the placeholder <client name>; replace it with the name from the policy provider';
    if (!/^[\x20-\x7e]+$/.test(value))
      return 'contains a character that cannot travel in a header; use ASCII only';
    return undefined;
  },
  encrypted: true,
  match_none: [
    { pattern: '%c', err: 'must not contain line breaks or other control characters' },
    { pattern: '^%s', err: 'must not start with a space' },
    { pattern: '%s$', err: 'must not end with a space' },
    {
      pattern: '<[Cc]lient[ _-]?[Nn]ame>',
      err: 'still contains the placeholder <client name>; replace it with the name from the policy provider',
    },
  ],
};

/** Base URL of a policy provider. */
export const SERVICE_URL: TextFormat = {
  check: serviceUrlProblem,
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
};

/** Never repeats credentials or a query. */
function serviceUrlProblem(value: string): string | undefined {
  // URL() would silently repair these, and Kong, we and the log would then mean different things by one string.
  if (/[\s\\\p{Cc}]/u.test(value)) {
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
