import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PERMIT } from '../../test/support/sideband-clients.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { readRequestAnswer, readResponseAnswer } from './wire-answers.js';

const bytes = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
const DENY = {
  response_code: '403',
  response_status: 'Forbidden',
  headers: [{ 'x-b': '1' }, { 'x-b': '2' }],
  body: 'no',
};
const WRONG_HEADERS = [
  null,
  'x',
  5,
  {},
  { a: 'b' },
  ['a'],
  [null],
  [[]],
  [{}],
  [{ a: 'b', c: 'd' }],
  [{ a: 1 }],
  [{ a: null }],
  [{ a: ['b'] }],
];

function refused(read: (body: Uint8Array) => unknown, value: unknown): PingAuthError {
  try {
    read(bytes(value));
  } catch (error) {
    if (error instanceof PingAuthError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(value)}`);
}

describe('answer to /sideband/request', () => {
  test('permit', () => {
    expect(
      readRequestAnswer(bytes({ ...PERMIT, state: { a: [1, null] }, client_certificate: { kty: 'EC' } })),
    ).toEqual({
      kind: 'permit',
      method: 'GET',
      url: PERMIT.url,
      headers: [
        ['host', 'api.example.com'],
        ['x-a', '1'],
        ['x-a', '2'],
      ],
      body: '',
      state: '{"a":[1,null]}',
      sourceIp: '192.0.2.1',
      sourcePort: 4711,
      clientCertificate: { kty: 'EC' },
    });
  });

  test('optional members may be missing or null; a state of null is a state', () => {
    const { method, url, headers } = PERMIT;
    const bare = readRequestAnswer(bytes({ method, url, headers }));
    expect(bare).toMatchObject({ kind: 'permit', body: undefined, state: undefined, sourceIp: undefined });
    const nulls = { method, url, headers, body: null, source_ip: null, source_port: null, state: null };
    expect(readRequestAnswer(bytes(nulls))).toMatchObject({
      body: undefined,
      state: 'null',
      sourcePort: undefined,
    });
  });

  test('deny, with the code as text or as a number', () => {
    const response = {
      responseCode: '403',
      headers: [
        ['x-b', '1'],
        ['x-b', '2'],
      ],
      body: 'no',
    };
    expect(readRequestAnswer(bytes({ response: DENY }))).toEqual({ kind: 'deny', response });
    expect(readRequestAnswer(bytes({ ...PERMIT, response: { ...DENY, response_code: 403 } }))).toEqual({
      kind: 'deny',
      response: { ...response, responseCode: 403 },
    });
  });

  test.each([null, false, 0, '', 'deny', [], {}, { response_code: 403 }])(
    'a response member of %j is neither a deny nor, beside a whole request, a permit',
    (response) => {
      expect(refused(readRequestAnswer, { ...PERMIT, response }).code).toBe('provider_answer_invalid');
    },
  );

  test('a response member that occurs twice never turns into a permit', () => {
    const permit = JSON.stringify(PERMIT).slice(1, -1);
    const twice = `{${permit},"response":${JSON.stringify(DENY)},"response":null}`;
    expect(refused(readRequestAnswer, twice).code).toBe('provider_answer_invalid');
  });

  test.each(['method', 'url', 'headers'])('without %s it is not a permit', (member) => {
    const error = refused(readRequestAnswer, { ...PERMIT, [member]: undefined });
    expect(error.code).toBe('provider_answer_invalid');
    expect(error.detail).toContain(`${member}: `);
  });

  const WRONG_TYPES: Record<string, unknown[]> = {
    method: [null, 1, [], {}, true],
    url: [null, 1, [], {}, true],
    headers: WRONG_HEADERS,
    body: [1, [], {}, true],
    http_version: [[], {}, true],
    source_ip: [1, [], {}, true],
    source_port: [[], {}, true],
  };
  test.each(
    Object.entries(WRONG_TYPES).flatMap(([member, values]) =>
      values.map((value) => [member, value] as const),
    ),
  )('%s: %j', (member, value) => {
    const error = refused(readRequestAnswer, { ...PERMIT, [member]: value });
    expect(error.code).toBe('provider_answer_invalid');
    expect(error.detail).toMatch(new RegExp(`^${member}: `));
  });

  test('more headers than any message has are refused unread', () => {
    const headers = Array.from({ length: 2001 }, () => ({ 'x-a': '' }));
    expect(refused(readRequestAnswer, { ...PERMIT, headers }).detail).toBe(
      'headers: 2001 headers, 2000 are allowed',
    );
    expect(readRequestAnswer(bytes({ ...PERMIT, headers: headers.slice(1) })).kind).toBe('permit');
  });

  test('members of the prototype count neither as present nor as permit', () => {
    const inherited = `{"__proto__":${JSON.stringify(PERMIT)}}`;
    expect(refused(readRequestAnswer, inherited).code).toBe('provider_answer_invalid');
    const deny = `{${JSON.stringify(PERMIT).slice(1, -1)},"__proto__":{"response":{}},"constructor":1}`;
    expect(readRequestAnswer(bytes(deny)).kind).toBe('permit');
  });

  test('a header called __proto__ is a header', () => {
    const answer = readRequestAnswer(bytes(`{"method":"GET","url":"u","headers":[{"__proto__":"x"}]}`));
    expect(answer).toMatchObject({ headers: [['__proto__', 'x']] });
  });

  test.each([
    '{"__proto__":{"a":1},"b":"\\ud800"}',
    '9007199254740993',
    '{ "a" : [1.0, -0, 1e400, "]},\\"\\\\" ] }',
    '"a \\"quoted\\" text, with } and ]"',
    'null',
    '[]',
    '-1.50',
    'true',
  ])('state goes through to the letter: %s', (state) => {
    for (const text of [
      `{"method":"GET","url":"u","headers":[],"state":${state}}`,
      `{"state":${state},"method":"GET","url":"u","headers":[{"a":"\\\\"}]}`,
      `\n{ "method":"GET", "url":"u" , "st\\u0061te" :\t${state} ,"headers":[]}`,
      `{"state":{"state":1},"method":"GET","url":"u","headers":[{"state":"2"}],"state":${state}}`,
    ]) {
      const answer = readRequestAnswer(bytes(text));
      expect(answer.kind === 'permit' && answer.state).toBe(state);
    }
  });

  test('the state of any answer is the value that JSON.parse sees', () => {
    const answers = fc.dictionary(
      fc.oneof(fc.constantFrom('state', 'a', '"', '\\'), fc.string()),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(answers, fc.integer({ min: 0, max: 2 }), (members, blanks) => {
        const text = JSON.stringify({ ...members, ...PERMIT, headers: [] }, null, blanks);
        const answer = readRequestAnswer(bytes(text));
        const { state } = JSON.parse(text);
        if (answer.kind !== 'permit') throw new Error('denied');
        if (state === undefined) expect(answer.state).toBeUndefined();
        else expect(JSON.parse(answer.state ?? '')).toEqual(state);
      }),
    );
  });
});

describe('answer to /sideband/response', () => {
  test('a whole response; body missing or null is empty', () => {
    expect(readResponseAnswer(bytes(DENY))).toEqual({
      responseCode: '403',
      headers: [
        ['x-b', '1'],
        ['x-b', '2'],
      ],
      body: 'no',
    });
    expect(readResponseAnswer(bytes({ response_code: 200, headers: [] })).body).toBeUndefined();
    expect(readResponseAnswer(bytes({ response_code: 200, headers: [], body: null })).body).toBeUndefined();
  });

  test.each([
    ...[null, undefined, true, [], {}].map((value) => ['response_code', value] as const),
    ...[[], {}, true].map((value) => ['response_status', value] as const),
    ...[1, [], {}, true].map((value) => ['body', value] as const),
    ...[undefined, ...WRONG_HEADERS].map((value) => ['headers', value] as const),
  ])('%s: %j', (member, value) => {
    expect(refused(readResponseAnswer, { ...DENY, [member]: value }).code).toBe('provider_answer_invalid');
  });
});

test('what is not JSON is said without repeating any of it', () => {
  for (const text of ['{"token":"hunter2"', 'hunter2', '\ufeff{"a":"hunter2"}']) {
    const error = refused(readRequestAnswer, text);
    expect(error.code).toBe('provider_not_json');
    expect(error.message).not.toContain('hunter2');
  }
  expect(refused(readRequestAnswer, '<html>').detail).toContain('HTML');
});

test('a deeply nested answer is refused, not a crash', () => {
  const depth = 200_000;
  expect(refused(readRequestAnswer, '['.repeat(depth) + ']'.repeat(depth)).code).toMatch(/^provider_/);
});

test('a state or a certificate too deep to be written again is refused at the border', () => {
  const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
  const answer = (member: string, levels: number) =>
    `{"method":"GET","url":"https://a.example:1/","headers":[],"${member}":${deep(levels)}}`;
  for (const member of ['state', 'client_certificate']) {
    expect(refused(readRequestAnswer, answer(member, 5000)).detail).toContain(member);
    expect(readRequestAnswer(Buffer.from(answer(member, 400))).kind).toBe('permit');
  }
});
