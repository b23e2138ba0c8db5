import { describe, expect, it } from 'vitest';
import { MalformedPayload, parseRequestPayload, parseResponsePayload } from './payload.js';

const request = {
  source_ip: '127.0.0.1',
  source_port: 51234,
  method: 'GET',
  url: 'https://api.example.com:443/accounts?a=1',
  http_version: '1.1',
  headers: [{ accept: '*/*' }, { 'x-a': '1' }, { 'x-a': '2' }],
};
const response = {
  method: 'GET',
  url: 'https://api.example.com:443/accounts',
  http_version: '1.1',
  response_code: '200',
  response_status: 'OK',
  headers: [{ 'content-type': 'text/plain' }],
  body: 'hello',
  state: { user: 'ada' },
};
const jwk = { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', x5c: ['MIIB+/8='] };

describe('payloads that a strict provider reads', () => {
  it.each([
    ['the plain one', request],
    ['the port as a string, as the Lua plugin sends it', { ...request, source_port: '51234' }],
    ['an IPv6 client and host', { ...request, source_ip: '::1', url: 'http://[::1]:8000/' }],
    ['HTTP/1.0', { ...request, http_version: '1.0' }],
    ['an empty body', { ...request, body: '' }],
    ['a client certificate', { ...request, client_certificate: jwk }],
    ['claims', { ...request, access_token: { sub: 'ada', scope: ['a'] } }],
    ['no headers', { ...request, headers: [] }],
  ])('request: %s', (_, payload) => {
    expect(parseRequestPayload(bytes(payload))).toEqual(payload);
  });

  it.each([
    ['with state', response],
    ['with a state that is null', { ...response, state: null }],
    ['with a state that is false', { ...response, state: false }],
    ['with request', { ...without(response, 'state'), request }],
    ['without body', without(response, 'body')],
  ])('response: %s', (_, payload) => {
    expect(parseResponsePayload(bytes(payload))).toEqual(payload);
  });
});

describe('payloads that it refuses, and why', () => {
  it.each([
    [
      'headers as a map',
      { ...request, headers: { accept: '*/*' } },
      /headers is not an array of single-pair/,
    ],
    ['two pairs in one object', { ...request, headers: [{ a: '1', b: '2' }] }, /headers\.0 has 2 pairs/],
    ['an empty object', { ...request, headers: [{}] }, /headers\.0 has 0 pairs/],
    ['a list as header value', { ...request, headers: [{ a: ['1'] }] }, /headers\.0\.a is not a string/],
    ['an upper-case name', { ...request, headers: [{ Accept: '1' }] }, /lower-case token/],
    ['a name with a colon', { ...request, headers: [{ 'a:b': '1' }] }, /lower-case token/],
    ['a line break in a value', { ...request, headers: [{ a: '1\r\nb: 2' }] }, /line break/],
    ['a relative URL', { ...request, url: '/accounts' }, /url is not an absolute/],
    [
      'a URL without a port',
      { ...request, url: 'https://api.example.com/accounts' },
      /url is not an absolute/,
    ],
    ['a URL without a path', { ...request, url: 'https://api.example.com:443' }, /url is not an absolute/],
    ['a URL with a fragment', { ...request, url: 'https://a.b:443/#x' }, /url is not an absolute/],
    ['HTTP/2', { ...request, http_version: '2' }, /http_version is not/],
    ['a number as version', { ...request, http_version: 1.1 }, /http_version is not/],
    ['a port as a negative number', { ...request, source_port: -1 }, /source_port is neither/],
    ['no source_ip', without(request, 'source_ip'), /source_ip/],
    ['a host name as source_ip', { ...request, source_ip: 'localhost' }, /source_ip is not an IP/],
    ['a body that is an object', { ...request, body: {} }, /body/],
    [
      'x5c as URL-safe base64',
      { ...request, client_certificate: { ...jwk, x5c: ['MIIB-_8='] } },
      /standard base64/,
    ],
    ['an unknown member', { ...request, secret: 'x' }, /secret/],
    ['a list', [], /the payload/],
  ])('request: %s', (_, payload, reason) => {
    expect(() => parseRequestPayload(bytes(payload))).toThrow(reason);
  });

  it.each([
    ['a number as response_code', { ...response, response_code: 200 }, /response_code is not a string/],
    ['a status code of four digits', { ...response, response_code: '2000' }, /not a status code/],
    ['no response_status', without(response, 'response_status'), /response_status/],
    ['state and request', { ...response, request }, /both state and request/],
    ['neither', without(response, 'state'), /neither state nor request/],
    ['a request that is malformed itself', { ...without(response, 'state'), request: {} }, /request\.method/],
    ['source_ip, which belongs to the request', { ...response, source_ip: '127.0.0.1' }, /source_ip/],
  ])('response: %s', (_, payload, reason) => {
    expect(() => parseResponsePayload(bytes(payload))).toThrow(reason);
  });

  it('bytes that are not UTF-8, and text that is not JSON', () => {
    expect(() => parseRequestPayload(Buffer.from([0x7b, 0xff, 0x7d]))).toThrow('not UTF-8');
    expect(() => parseRequestPayload(Buffer.from('{"a":'))).toThrow(MalformedPayload);
    expect(() => parseRequestPayload(Buffer.alloc(0))).toThrow('not JSON');
  });
});

function bytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function without<T extends object, K extends keyof T>(value: T, name: K): Omit<T, K> {
  const { [name]: _, ...rest } = value;
  return rest;
}
