import { describe, expect, it } from 'vitest';
import { PingAuthError } from '../errors/ping-auth-error.js';
import {
  checkNewPath,
  composeUrl,
  escapeKongPath,
  escapePath,
  escapeQuery,
  normalisePath,
  parseAnsweredUrl,
  requestUrlFromKong,
} from './request-url.js';
import { decodeLossless } from './text.js';

/** Recorded on Kong 3.9.3: request target, `get_path`, path that reached the upstream. */
const RECORDED = [
  ['/a/b', '/a/b', '/a/b'],
  ['/a%20b/%2e%2e/c//d', '/c/d', '/c/d'],
  [
    '/x/./y/%C3%A9/;p=1/a%2Fb/a%3Fb/%7Etilde/%2B+',
    '/x/y/é/;p=1/a%2Fb/a%3Fb/~tilde/%2B+',
    '/x/y/%C3%A9/;p=1/a%2Fb/a%3Fb/~tilde/%2B+',
  ],
  ['/pct%25/a%20b%2520/', '/pct%25/a b%2520/', '/pct%25/a%20b%2520/'],
  ['//double//slash/', '/double/slash/', '/double/slash/'],
  ['/a\\b/c"d/<e>/{f}|^`/[g]', '/a\\b/c"d/<e>/{f}|^`/[g]', '/a%5Cb/c%22d/%3Ce%3E/%7Bf%7D%7C%5E%60/[g]'],
  ['/café', '/café', '/caf%C3%A9'],
  ['/h2/a%20b', '/h2/a b', '/h2/a%20b'],
] as const;

/** Recorded: what was given to `set_path`, what reached the upstream. */
const SET_PATH = [
  ['/with space', '/with%20space'],
  ['/enc%2Fslash', '/enc%2Fslash'],
  ['/unicode/é', '/unicode/%C3%A9'],
  ['/unicode/%C3%A9', '/unicode/%C3%A9'],
  ['/%7Etilde', '/%7Etilde'],
  ['/a"<>\\^`{|}b', '/a%22%3C%3E%5C%5E%60%7B%7C%7Db'],
  ["/a;b=1,c:d@e!$&'()*=", "/a;b=1,c:d@e!$&'()*="],
  ['/a%252Fb', '/a%252Fb'],
  [decodeLossless(Uint8Array.of(0x2f, 0x6c, 0x2f, 0xe9)), '/l/%E9'],
  ['/a\r\nX-Inj: 1', '/a%0D%0AX-Inj:%201'],
] as const;

const errorResponse = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (error) {
    return error instanceof PingAuthError ? error.code : error;
  }
};

describe('the path that is shown is the one that the upstream gets', () => {
  it.each(RECORDED)('%s, from get_path', (_target, getPath, upstream) => {
    expect(escapeKongPath(getPath)).toBe(upstream);
  });

  it.each(RECORDED)('%s, from the request target', (target, _getPath, upstream) => {
    expect(normalisePath(target)).toBe(upstream);
    expect(normalisePath(`${target}?x=/../y`)).toBe(upstream);
  });

  it.each(SET_PATH)('escaping once more changes nothing: %s', (given, upstream) => {
    expect(escapePath(given)).toBe(upstream);
    expect(escapePath(upstream)).toBe(upstream);
  });

  it.each([
    ['/a/..', '/'],
    ['/a/b/.', '/a/b/'],
    ['/a//../b', '/b'],
    ['/a/%2E%2e/b', '/b'],
    ['/a%2fb', '/a%2Fb'],
    ['/.well-known/x', '/.well-known/x'],
    ['/...', '/...'],
    ['/', '/'],
    ['/?x', '/'],
  ])('resolves %s to %s', (target, upstream) => {
    expect(normalisePath(target)).toBe(upstream);
  });

  it.each([
    ['a climb over the root (Kong answers 400)', '/../../etc'],
    ['an incomplete escape (400)', '/a%zzb'],
    ['a NUL (400)', '/a%00b'],
    ['bytes that are not UTF-8 (404)', '/x/%e9/y'],
    ['no path (400)', '*'],
    ['an empty target', ''],
    ['a fragment', '/a#b'],
    ['a blank', '/a b'],
    ['a line feed', '/a\nb'],
  ])('is not guessed for %s', (_case, target) => {
    expect(normalisePath(target)).toBeUndefined();
  });

  it.each(['no-slash', '', '/a#b', '/a?b', '/a%zz'])('refuses get_path %j', (path) => {
    expect(errorResponse(() => escapeKongPath(path))).toBe('request_unreadable');
  });
});

describe('the URL that is shown', () => {
  const parts = { scheme: 'http', host: 'api.example', port: 80, path: '/a b', query: 'x=1' };

  it('always has the port, and the raw query whole', () => {
    expect(composeUrl(requestUrlFromKong(parts))).toBe('http://api.example:80/a%20b?x=1');
    expect(composeUrl(requestUrlFromKong({ ...parts, query: '' }))).toBe('http://api.example:80/a%20b');
    const query = Array.from({ length: 150 }, (_, i) => `k${i}=${i}`).join('&');
    expect(composeUrl(requestUrlFromKong({ ...parts, query })).endsWith(`?${query}`)).toBe(true);
  });

  it.each([
    ['x=%2F&y=a+b&flag', 'x=%2F&y=a+b&flag'],
    ['x=%&y=%zz', 'x=%25&y=%25zz'],
    ['q=é', 'q=%C3%A9'],
    ['q=\udce9', 'q=%E9'],
    ['a="<>\\^`{|}#', 'a=%22%3C%3E%5C%5E%60%7B%7C%7D%23'],
    ['a[0]=1&b[]=2', 'a[0]=1&b[]=2'],
  ])('is a valid one for the raw query %j', (raw, shown) => {
    expect(escapeQuery(raw)).toBe(shown);
    expect(escapeQuery(shown)).toBe(shown);
  });

  it.each(['a@evil.example', 'a/b', 'a?b', 'a#b', 'a\\b', 'a b', '', 'a:1', '[::1', '-a', 'é'])(
    'is refused for the host %j, which would read as another one',
    (host) => {
      expect(errorResponse(() => requestUrlFromKong({ ...parts, host }))).toBe('request_unreadable');
    },
  );

  it.each([0, 65_536, 1.5, Number.NaN])('is refused for port %s', (port) => {
    expect(errorResponse(() => requestUrlFromKong({ ...parts, port }))).toBe('request_unreadable');
  });

  it('takes IPv6 hosts', () => {
    expect(composeUrl(requestUrlFromKong({ ...parts, host: '[::1]' }))).toBe('http://[::1]:80/a%20b?x=1');
  });
});

describe("the policy's URL", () => {
  it('is taken apart and not altered', () => {
    expect(parseAnsweredUrl('HTTPS://API.example:8443/a/%7e/../b//c?x=%2f&y=a b'.replace(' ', '+'))).toEqual({
      scheme: 'https',
      host: 'API.example',
      port: 8443,
      path: '/a/%7e/../b//c',
      query: 'x=%2f&y=a+b',
    });
    expect(parseAnsweredUrl('http://h')).toEqual({
      scheme: 'http',
      host: 'h',
      port: undefined,
      path: '/',
      query: '',
    });
    expect(parseAnsweredUrl('http://[2001:db8::1]:81?q').host).toBe('[2001:db8::1]');
  });

  it.each([
    ['no scheme', '/a'],
    ['another scheme', 'ftp://h/a'],
    ['javascript', 'javascript:alert(1)'],
    ['no host', 'http:///a'],
    ['a port only', 'http://:80/a'],
    ['credentials', 'http://u:p@h/a'],
    ['an empty user', 'http://@h/a'],
    ['a fragment', 'http://h/a#b'],
    ['a blank', 'http://h/a b'],
    ['a blank in front', ' http://h/a'],
    ['a line break', 'http://h/a\r\nX-Inj: 1'],
    ['a line feed at the end', 'http://h/a\n'],
    ['a tab', 'http://h/a\tb'],
    ['a NUL', 'http://h/a\0'],
    ['a backslash', 'http://h\\@evil/a'],
    ['an incomplete escape', 'http://h/a%2'],
    ['an incomplete escape in the query', 'http://h/a?x=%zz'],
    ['port 0', 'http://h:0/a'],
    ['port 65536', 'http://h:65536/a'],
    ['a port with a sign', 'http://h:+80/a'],
    ['an empty port', 'http://h:/a'],
    ['a host with an escape', 'http://h%2eexample/a'],
    ['half a surrogate pair', 'http://h/\udce9'],
  ])('is refused with %s', (_case, url) => {
    expect(errorResponse(() => parseAnsweredUrl(url))).toBe('directive_invalid');
  });

  it('never shows in the error', () => {
    try {
      parseAnsweredUrl('http://user:hunter2@h/a?token=hunter2');
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
    }
  });

  it.each(['/a/../b', '/..', '/.', '/a/%2e%2E/b', '/a/.%2e', '/x%00'])('may not set the path %s', (path) => {
    expect(errorResponse(() => checkNewPath(path))).toBe('directive_invalid');
  });

  it.each(['/a..b', '/.hidden', '/a.', '/...', '/'])('may set the path %s', (path) => {
    expect(errorResponse(() => checkNewPath(path))).toBeUndefined();
  });
});
