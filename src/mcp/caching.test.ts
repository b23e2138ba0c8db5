import { describe, expect, it } from 'vitest';
import { HeaderList } from '../http/headers.js';
import { privateCacheControl, privateResult } from './response-rules.js';

const response = (result: string) => `{"jsonrpc":"2.0","id":1,"result":${result}}`;

describe('a result with caching hints', () => {
  it.each([
    [
      '{"tools":[],"ttlMs":300000,"cacheScope":"public"}',
      '{"tools":[],"ttlMs":300000,"cacheScope":"private"}',
    ],
    ['{"cacheScope" : "public" ,"ttlMs":1}', '{"cacheScope" : "private" ,"ttlMs":1}'],
    ['{"cache\\u0053cope":"public"}', '{"cache\\u0053cope":"private"}'],
    [
      '{"cacheScope":"PUBLIC","big":9007199254740993,"x":1e400}',
      '{"cacheScope":"private","big":9007199254740993,"x":1e400}',
    ],
    ['{"cacheScope":null}', '{"cacheScope":"private"}'],
    ['{"cacheScope":{"a":"}"},"tools":[]}', '{"cacheScope":"private","tools":[]}'],
    ['{"tools":[],"ttlMs":5}', '{"cacheScope":"private","tools":[],"ttlMs":5}'],
  ])('is private: %s', (result, wanted) => {
    expect(privateResult(response(result), undefined)).toBe(response(wanted));
  });

  it.each([
    ['60001', '60000'],
    ['1e9', '60000'],
    ['1e400', '60000'],
    ['"600000"', '60000'],
    ['null', '60000'],
    ['60000', '60000'],
    ['0', '0'],
    ['-1', '-1'],
  ])('lives no longer than the cap: %s', (ttl, wanted) => {
    const scoped = (value: string) => response(`{"ttlMs":${value},"cacheScope":"private"}`);
    expect(privateResult(scoped(ttl), 60_000)).toBe(scoped(wanted));
    expect(privateResult(scoped(ttl), undefined)).toBe(scoped(ttl));
  });

  it('is not cached at all with a cap of 0', () => {
    expect(privateResult(response('{"ttlMs":5}'), 0)).toBe(response('{"cacheScope":"private","ttlMs":0}'));
  });

  it.each([
    response('{"tools":[]}'),
    response(
      '{"structuredContent":{"cacheScope":"public","ttlMs":7},"content":[{"text":"cacheScope \\u00e4"}]}',
    ),
    response('{"ttlMs":5,"cacheScope":"private"}'),
    response('null').replace('result', 'cacheScope'),
    '{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":{"cacheScope":"public"}}}',
    'cacheScope: public',
    '',
  ])('stays as it is where there is nothing to do: %s', (text) => {
    expect(privateResult(text, 10)).toBe(text);
  });

  it('has none of two scopes left that a policy wrote', () => {
    const twice = response('{"cacheScope":"public","cacheScope":"public","ttlMs":9,"ttlMs":8}');
    expect(privateResult(twice, 5)).toBe(
      response('{"cacheScope":"private","cacheScope":"private","ttlMs":5,"ttlMs":5}'),
    );
  });
});

it.each([
  [[], 'no-store'],
  [['public, max-age=60'], 'no-store'],
  [['private="x-no-store"'], 'no-store'],
  [['no-cache', 'No-Store'], undefined],
  [['private, no-store'], undefined],
])('Cache-Control %j becomes %s', (values, wanted) => {
  const headers = HeaderList.from(values.map((value) => ['cache-control', value] as const));
  expect(privateCacheControl(headers)).toBe(wanted);
});
