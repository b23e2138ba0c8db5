import { describe, expect, it } from 'vitest';
import { aRequest, aResponse, SHOW_ALL } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { admitRequest, admitResponse } from './admission.js';
import type { HeaderField } from './headers.js';

const verdict = (parts: Parameters<typeof aRequest>[0], settings = {}): string => {
  try {
    admitRequest(aRequest(parts), { ...SHOW_ALL, ...settings });
    return 'admitted';
  } catch (error) {
    return error instanceof PingAuthError ? `${error.entry.status} ${error.code}` : String(error);
  }
};
const many = (count: number): HeaderField[] => Array.from({ length: count }, (_, i) => [`x-${i}`, '1']);

describe('before the policy is asked', () => {
  it.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'PROPFIND', 'LOCK'])(
    '%s is admitted',
    (method) => {
      expect(verdict({ method })).toBe('admitted');
    },
  );

  it.each(['FOO', 'get', 'CONNECT', 'TRACE', 'QUERY', ''])(
    'method %j is refused: it would go on as GET',
    (method) => {
      expect(verdict({ method })).toBe('501 method_not_supported');
    },
  );

  it('1000 headers are refused, as nobody knows whether there are more', () => {
    expect(verdict({ headers: many(998) })).toBe('admitted'); // and the Host
    expect(verdict({ headers: many(999) })).toBe('431 too_many_request_headers');
    expect(() => admitResponse(aResponse(200, many(999)))).not.toThrow();
    expect(() => admitResponse(aResponse(200, many(1000)))).toThrow(
      expect.objectContaining({ code: 'too_many_response_headers' }),
    );
  });

  it.each(['user-agent', 'referer', 'range', 'content-type', 'authorization', 'if-match'])(
    'two different lines of %s are refused: Kong would send on the last one alone',
    (name) => {
      const lines = (...values: string[]) => verdict({ headers: values.map((value) => [name, value]) });
      expect(lines('a', 'b')).toBe('400 request_unreadable');
      expect(lines('a', 'a')).toBe('admitted');
    },
  );

  it.each(['x-a', 'cookie', 'accept', 'accept-encoding', 'via', 'x-real-ip'])(
    'several lines of %s are a list, or not for the policy',
    (name) => {
      expect(
        verdict({
          headers: [
            [name, 'a'],
            ['x-between', '1'],
            [name, 'b'],
          ],
        }),
      ).toBe('admitted');
    },
  );

  it('a control character in a header is refused: Kong would send on something else', () => {
    const value = (text: string) => verdict({ headers: [['x-role', text]] });
    for (const code of [1, 8, 10, 11, 31, 127]) {
      expect(value(`admin${String.fromCharCode(code)}`)).toBe('400 request_unreadable');
    }
    expect(value('a\tb, "c" ü \udcff')).toBe('admitted');
  });

  it.each([
    ...[
      'content_length',
      'transfer_encoding',
      'content_type',
      'content_encoding',
      'keep_alive',
      'user_agent',
    ],
    ...['x_forwarded_for', 'x_forwarded-host', 'x_real_ip', 'if_match', 'proxy_connection', 'http2_settings'],
  ])('%s is refused: some servers take it for the header with hyphens', (name) => {
    expect(verdict({ headers: [[name, '5']] })).toBe('400 request_unreadable');
  });

  it('two headers that some servers take for one are refused when they differ', () => {
    const pair = (...values: [string, string][]) => verdict({ headers: values });
    expect(pair(['x_role', 'admin'], ['x-role', 'user'])).toBe('400 request_unreadable');
    expect(pair(['x-a-b', '1'], ['x_a-b', '1'], ['x_a_b', '2'])).toBe('400 request_unreadable');
    expect(pair(['x-a', '1'], ['x_a', '1'], ['x-a', '2'])).toBe('400 request_unreadable');
    expect(pair(['x_role', 'user'], ['x-role', 'user'])).toBe('admitted');
    expect(pair(['x_role', 'admin'], ['api_key', '1'], ['accept_encoding', 'br'])).toBe('admitted');
  });

  it('HTTP/2 is refused unless it is allowed', () => {
    expect(verdict({ httpVersion: '2' })).toBe('400 http2_not_allowed');
    expect(verdict({ httpVersion: '2.0' })).toBe('400 http2_not_allowed');
    expect(verdict({ httpVersion: '2' }, { allow_http2: true })).toBe('admitted');
    expect(verdict({ httpVersion: '1.0' })).toBe('admitted');
    expect(verdict({ httpVersion: '3' }, { allow_http2: true })).toBe('400 request_unreadable');
    expect(verdict({ httpVersion: '' })).toBe('400 request_unreadable');
  });

  it.each<[string, HeaderField[]]>([
    [
      'a WebSocket',
      [
        ['connection', 'Upgrade'],
        ['upgrade', 'websocket'],
      ],
    ],
    ['an Upgrade alone, which is enough for Kong', [['upgrade', 'WebSocket']]],
    ['one hidden behind another', [['upgrade', 'h2c, websocket']]],
    [
      'one hidden in a second header',
      [
        ['upgrade', 'h2c'],
        ['upgrade', 'websocket'],
      ],
    ],
  ])('%s is refused unless upgrades are allowed: the response phase would not run', (_case, headers) => {
    expect(verdict({ headers })).toBe('400 upgrade_not_allowed');
    expect(verdict({ headers }, { allow_upgrade: true })).toBe('admitted');
  });

  it("the h2c offer of Java's HttpClient is admitted: Kong ignores it", () => {
    expect(
      verdict({
        headers: [
          ['connection', 'Upgrade, HTTP2-Settings'],
          ['upgrade', 'h2c'],
        ],
      }),
    ).toBe('admitted');
  });

  it('a Host that names another server to the policy is refused', () => {
    expect(verdict({ url: { host: 'good.example@evil.example' } })).toBe('400 request_unreadable');
    expect(verdict({ headers: [['host', 'other.example']] })).toBe('400 request_unreadable');
    expect(verdict({ url: { scheme: 'grpc' } })).toBe('400 request_unreadable');
  });

  it.each(['content-length', 'Close, Content-Length', 'transfer-encoding', 'HOST'])(
    'Connection: %s is refused: Kong would take that header off and the body would be read as a request',
    (connection) => {
      expect(verdict({ headers: [['connection', connection]] })).toBe('400 request_unreadable');
    },
  );

  it('Connection: x-ping-auth is refused: the mark of a fail-open would not reach the upstream', () => {
    expect(verdict({ headers: [['connection', 'close, X-Ping-Auth']] })).toBe('400 request_unreadable');
  });

  it('Connection that names a header of the request is refused: the policy would decide by what the upstream never gets', () => {
    expect(
      verdict({
        headers: [
          ['x-user', 'joe'],
          ['connection', 'close, X-User'],
        ],
      }),
    ).toBe('400 request_unreadable');
    expect(
      verdict({
        headers: [
          ['te', 'trailers'],
          ['keep-alive', 'timeout=5'],
          ['connection', 'TE, Keep-Alive'],
        ],
      }),
    ).toBe('admitted');
  });

  it('usual Connection headers are admitted', () => {
    for (const value of ['keep-alive', 'close', 'close, TE', 'x-hop']) {
      expect(verdict({ headers: [['connection', value]] })).toBe('admitted');
    }
  });
});
