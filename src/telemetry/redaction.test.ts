import { describe, expect, it } from 'vitest';
import { printable } from './printable.js';
import { redactBody, redactHeader, redactMessage, redactText, redactUrl } from './redaction.js';

const JWT = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2lnbmF0dXJl';

describe('headers in logs', () => {
  it.each([
    ['Authorization', `Bearer ${JWT}`, 'Bearer [redacted]'],
    ['authorization', 'opaque-token-value', '[redacted]'],
    ['Proxy-Authorization', 'Basic am9lOnB3', 'Basic [redacted]'],
    ['Cookie', 'sid=abc; theme=dark', '[redacted]'],
    ['set-cookie', 'sid=abc; Path=/', '[redacted]'],
    ['X-Pa-Secret', 's3cr3t', '[redacted]'],
    ['x-access-token', 'abc', '[redacted]'],
    ['x-user', `someone ${JWT}`, 'someone [redacted]'],
    [
      'location',
      'https://x/cb?state=s1&code=c1&page=2',
      'https://x/cb?state=[redacted]&code=[redacted]&page=2',
    ],
    [
      'www-authenticate',
      'Bearer realm="api", error="invalid_token"',
      'Bearer realm="api", error="invalid_token"',
    ],
    ['accept', 'text/html;q=0.9', 'text/html;q=0.9'],
  ])('%s: %s', (name, value, shown) => {
    expect(redactHeader(name, value, 'x-pa-secret')).toBe(shown);
  });
});

describe('URLs in logs', () => {
  it.each([
    ['https://api:443/p?access_token=abc&x=1', 'https://api:443/p?access_token=[redacted]&x=1'],
    ['https://api/p?ID-Token=abc', 'https://api/p?ID-Token=[redacted]'],
    ['https://api/p?acc%65ss_token=abc', 'https://api/p?acc%65ss_token=[redacted]'],
    ['https://joe:pw@api/p', 'https://[redacted]@api/p'],
    ['not a url?code=1#access_token=2', 'not a url?code=[redacted]#access_token=[redacted]'],
    ['https://api/p?country=de&postcode=1', 'https://api/p?country=de&postcode=1'],
  ])('%s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});

describe('bodies in logs', () => {
  it('lose token-like members and fields', () => {
    expect(redactBody('{"user":"joe","password":"pw-1","refresh_token" : "r\\"1"}')).toBe(
      '{"user":"joe","password":"[redacted]","refresh_token" : "[redacted]"}',
    );
    expect(redactBody('grant_type=password&username=joe&password=pw-1')).toBe(
      'grant_type=password&username=joe&password=[redacted]',
    );
  });

  it('show no part of a token that the cut goes through', () => {
    const shown = redactBody(`{"pad":"${'p'.repeat(80)}","client_secret":"${'s3cr3t'.repeat(50)}"}`, 100);
    expect(shown).not.toContain('s3cr3t');
    expect(shown).toMatch(/… \d+ more$/);
  });

  it('take no quadratic time over what looks like a hundred thousand tokens', () => {
    const names = '-eyJ'.repeat(100_000);
    expect(redactText(names, 100)).toBe(`${names.slice(0, 100)}… ${names.length - 100} more`);
    expect(redactText(`${JWT} ${names}`, 20)).toMatch(/^\[redacted\] -eyJ-eyJ-… \d+ more$/);
  });

  it('cannot move a terminal’s cursor or forge a line', () => {
    expect(printable('a\u001b[2Jb\r\nc\u202ed\u0085e\udc80')).toBe(
      'a\\u001b[2Jb\\u000d\\u000ac\\u202ed\\u0085e\\udc80',
    );
  });
});

describe('sideband messages in logs', () => {
  const request = {
    source_ip: '192.0.2.1',
    source_port: 4711,
    method: 'POST',
    url: 'https://api.example:443/orders?access_token=tok-1&page=2',
    http_version: '1.1',
    headers: [
      { authorization: `Bearer ${JWT}` },
      { 'x-a': '1' },
      { cookie: 'sid=cook-1' },
      { 'client-token': 'sec-1' },
    ],
    body: '{"id":7,"password":"pw-1"}',
    client_certificate: { kty: 'RSA', n: 'abc', e: 'AQAB', x5c: ['MIICERT'] },
    state: { token: 'state-1' },
    access_token: { sub: 'claims-1' },
  };

  it.each([
    ['a request', request],
    ['a response that carries the whole request', { response_code: '200', headers: [], body: '', request }],
    ['a deny', { response: { response_code: 401, headers: [{ 'set-cookie': 'sid=cook-1' }], body: JWT } }],
    ['a state that is a string', { state: 'state-1' }],
  ])('%s shows none of its secrets', (_name, message) => {
    const shown = JSON.stringify(redactMessage(message, 'X-Other'));
    for (const secret of [JWT, 'tok-1', 'cook-1', 'sec-1', 'pw-1', 'MIICERT', 'state-1', 'claims-1']) {
      expect(shown).not.toContain(secret);
    }
  });

  it('keep what an operator looks for', () => {
    expect(redactMessage(request)).toMatchObject({
      method: 'POST',
      source_port: 4711,
      url: 'https://api.example:443/orders?access_token=[redacted]&page=2',
      headers: [{ authorization: 'Bearer [redacted]' }, { 'x-a': '1' }, { cookie: '[redacted]' }, {}],
      body: '{"id":7,"password":"[redacted]"}',
    });
  });

  it('may be an answer that was parsed already', () => {
    const headers = [
      ['x-a', '1'],
      ['set-cookie', 'sid=1'],
    ];
    expect(redactMessage({ kind: 'deny', response: { responseCode: 403, headers } })).toEqual({
      kind: 'deny',
      response: { responseCode: 403, headers: [{ 'x-a': '1' }, { 'set-cookie': '[redacted]' }] },
    });
  });

  it('keep the code and id of an error document', () => {
    const error = { id: 'e-1', code: 'GATEWAY_TOKEN', message: 'The Gateway Token is invalid' };
    expect(redactMessage(error)).toEqual(error);
  });

  it('may be anything at all', () => {
    for (const odd of [
      undefined,
      null,
      7,
      [],
      '<html>',
      { headers: 'x' },
      { headers: [1, ['a']] },
      { url: {} },
    ]) {
      expect(() => redactMessage(odd)).not.toThrow();
    }
  });
});

describe('secrets in a JSON body that are no text', () => {
  it.each([
    ['{"otp":123456,"a":1}', '{"otp":"[redacted]","a":1}'],
    ['{"pin": -12e4 }', '{"pin": "[redacted]" }'],
    ['{"password":["one","t]wo"],"a":["b"]}', '{"password":["[redacted]","[redacted]"],"a":["b"]}'],
    ['{"a":{"sid":1.5}}', '{"a":{"sid":"[redacted]"}}'],
    ['{"code":-32603,"key":7}', '{"code":-32603,"key":7}'],
    ['{"password":["cut of', '{"password":["[redacted]"'],
  ])('%s', (body, shown) => {
    expect(redactBody(body)).toBe(shown);
  });
});
