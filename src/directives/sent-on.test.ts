import { expect, it } from 'vitest';
import { HeaderList, NO_HEADER_CHANGES } from '../http/headers.js';
import { NO_REQUEST_CHANGES, type RequestChanges } from './decision.js';
import {
  parseSentOn,
  refusedSentOn,
  requestSentOn,
  responseSentOn,
  type SentOn,
  sentOnDifferences,
} from './sent-on.js';

const permit = (changes: Partial<RequestChanges>): SentOn =>
  requestSentOn({
    kind: 'permit',
    state: undefined,
    notes: [],
    changes: { ...NO_REQUEST_CHANGES, ...changes },
  });
const bytes = (text: string) => new TextEncoder().encode(text);
const set = (name: string, ...values: string[]) =>
  HeaderList.from(values.map((value) => [name, value] as const)).toRecord();
const differences = (before: SentOn, now: SentOn, ignored: string[] = [], shown: string | undefined = '') =>
  sentOnDifferences(before, now, new Set(ignored), shown);

it.each<[string, Partial<RequestChanges>, Partial<RequestChanges>, string[]]>([
  ['nothing', {}, {}, []],
  ['the same change', { path: '/a', headers: set('x', '1') }, { path: '/a', headers: set('x', '1') }, []],
  [
    'method, host, path and query',
    {},
    { method: 'PUT', host: 'h', path: '/b', query: 'q' },
    ['method', 'host', 'path', 'query'],
  ],
  ['a header value', { headers: set('x', '1') }, { headers: set('x', '2') }, ['header:x']],
  ['one value of two', { headers: set('x', '1', '2') }, { headers: set('x', '1') }, ['header:x']],
  ['a header removed', {}, { headers: { x: [] } }, ['header:x']],
  ['a length', {}, { headers: set('content-length', '1') }, []],
  ['a body', { body: bytes('a') }, { body: bytes('b') }, ['body']],
  ['white space of JSON', { body: bytes('{"a":1}') }, { body: bytes('{ "a": 1 }') }, []],
  [
    'numbers that JSON.parse would round',
    { body: bytes('{"a":12345678901234567}') },
    { body: bytes('{"a":12345678901234568}') },
    ['body'],
  ],
  ['a body that one erased', {}, { body: bytes('') }, ['body']],
])('%s', (_, before, now, wanted) => {
  expect(differences(permit(before), permit(now), [], 'shown')).toEqual(wanted);
});

it('names other decisions, and nothing else', () => {
  const denied = (status: number, body = '') =>
    requestSentOn({
      kind: 'deny',
      notes: [],
      response: { status, headers: HeaderList.empty, body: bytes(body) },
    });
  expect(differences(permit({ path: '/x' }), denied(403))).toEqual(['permit → deny 403']);
  expect(differences(denied(401), denied(403))).toEqual(['deny 401 → deny 403']);
  expect(differences(denied(403, 'a'), denied(403, 'b'))).toEqual(['body']);
  expect(differences(permit({}), refusedSentOn('directive_invalid'))).toEqual([
    'permit → refuse directive_invalid',
  ]);
});

it('does not count ignored headers', () => {
  expect(differences(permit({}), permit({ headers: set('x-time', '1') }), ['x-time'])).toEqual([]);
});

it('compares responses by status', () => {
  const pass = (status: number | undefined) =>
    responseSentOn({ notes: [], changes: { status, headers: NO_HEADER_CHANGES, body: undefined } });
  expect(differences(pass(undefined), pass(403))).toEqual(['status']);
});

it('survives the way through the request context', () => {
  const sentOn = permit({ path: '/a', headers: set('__proto__', '1'), body: bytes('b') });
  const back = parseSentOn(JSON.stringify(sentOn));
  expect(back && differences(back, sentOn)).toEqual([]);
  for (const text of ['', '{}', '[]', '{"decision":1}', 'null']) expect(parseSentOn(text)).toBeUndefined();
});
