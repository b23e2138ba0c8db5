import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../src/errors/catalogue.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { type HeaderChanges, HeaderList } from '../../src/http/headers.js';
import { JsonScanner } from '../../src/http/json-scanner.js';
import type { HttpRequest, HttpResponse, ResponseToSend } from '../../src/http/message.js';
import { parseJson, STEP_BYTES } from '../../src/http/text.js';
import { parseLargeAnswer } from '../../src/sideband/large-answer.js';
import { readRequestContext, writeRequestContext } from '../../src/sideband/request-context.js';
import { statusError } from '../../src/sideband/status-errors.js';
import { type LargeAnswer, readRequestAnswer, readResponseAnswer } from '../../src/sideband/wire-answers.js';
import { headerParts } from '../model/decisions.js';
import { aRequest, aRequestContext, aResponse, SHOW_ALL, showRequest } from '../model/messages.js';
import { accessPhase, fakeGateway, fakeInstance, responsePhase } from '../support/fake-instance.js';
import { damaged, damages, fuzzed, oddText } from './fuzz.js';
import { damagedJson, jsonDamages } from './json-damage.js';
import { headerFault, jsonObject, validPermit, validResponse } from './oracle.js';

const REQUEST = aRequest({
  method: 'POST',
  headers: [
    ['content-type', 'application/json'],
    ['content-length', '9'],
    ['cookie', 'a=1'],
    ['x-latin', 'caf\udce9'],
    ['x-two', '1'],
    ['x-two', '2'],
    ['accept-encoding', 'gzip'],
  ],
  body: '{"a":"é"}',
});
const SHOWN = showRequest(REQUEST, SHOW_ALL).payload;
const PERMIT = { ...SHOWN, http_version: '1.1', state: { token: 't', n: [1, null] } };
const DENIAL = {
  ...SHOWN,
  response: {
    response_code: '403',
    response_status: 'Forbidden',
    http_version: '1.1',
    headers: [{ 'content-type': 'text/plain' }, { 'set-cookie': 'a=1' }, { 'set-cookie': 'b=2' }],
    body: 'no',
  },
};
const RESPONSE = aResponse(
  200,
  [
    ['content-type', 'text/plain'],
    ['set-cookie', 'secret=1'],
    ['content-length', '5'],
    ['x-up', 'caf\udce9'],
  ],
  'hello',
);
const ANSWERED = {
  response_code: '200',
  response_status: 'OK',
  http_version: '1.1',
  headers: [{ 'content-type': 'text/plain' }, { 'x-up': 'café' }, { 'x-new': '1' }],
  body: 'hello',
};

/** Headers as a policy might give them: the ones it was shown, and others that are anything from harmless to hostile. */
const wireHeaders = (shown: readonly object[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...HEADER_NAMES), fc.oneof(fc.constantFrom('1', 'a, b', 'é'), oddText)), {
      maxLength: 3,
    })
    .map((added) => [...shown, ...added.map(([name, value]) => ({ [name]: value }))]);
const METHODS = ['PUT', 'GET', 'HEAD', 'TRACE', 'CONNECT', 'post', 'FOO'];
const HEADER_NAMES = [
  ...['x-new', 'X-Two', 'x_two', 'Cookie', 'authorization', 'content-encoding', 'vary', 'date', 'server'],
  ...['content-length', 'Transfer-Encoding', 'transfer_encoding', 'connection', 'upgrade', 'host', 'expect'],
  ...[
    'x-forwarded-for',
    'via',
    'x-kong-request-id',
    'accept-encoding',
    'x-ping-auth',
    '__proto__',
    'x y',
    '',
  ],
];
const URLS = [
  SHOWN.url,
  ...['https://api.example:8443/v2', 'http://other.example/v1/users?id=8', 'https://api.example:8443/v1/é'],
  ...['https://api.example:8443/v1/../admin', 'https://api.example:8443//v1/users?id=7', '/v1/users?id=7'],
  ...['https://api.example:8443/v1/%2e%2E/x', 'https://u@api.example:8443/', 'https://api.example:8443/a b'],
  ...['https://api.example:99999/', 'https://[::1]:8443/v1', 'HTTPS://API.EXAMPLE:8443/v1/users?id=%zz'],
];
const permits = fc
  .record({
    method: fc.oneof({ weight: 4, arbitrary: fc.constant('POST') }, fc.constantFrom(...METHODS)),
    url: fc.oneof({ weight: 1, arbitrary: fc.constant(SHOWN.url) }, fc.constantFrom(...URLS)),
    headers: wireHeaders(SHOWN.headers),
    body: fc.oneof(fc.constant(SHOWN.body), oddText),
    state: fc.jsonValue(),
  })
  .map((made) => ({ ...SHOWN, ...made }));
const answered = (shown: readonly object[]) =>
  fc.record({
    response_code: fc.constantFrom<unknown>('200', 200, '403', 204, 304, '500', 199, 444, '600', '0200', 2e2),
    response_status: fc.constantFrom('OK', ''),
    headers: wireHeaders(shown),
    body: fc.oneof(fc.constant('hello'), oddText),
  });
const denials = answered([]).map((response) => ({ ...SHOWN, response }));

/** Answers as they should be, freely made ones, and all of them damaged, now and then below JSON as well. */
const answerOf = (...values: fc.Arbitrary<unknown>[]) =>
  fc
    .tuple(
      fc.oneof(...values),
      fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 2, arbitrary: jsonDamages }),
      fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: damages }),
    )
    .map(([value, plan, below]) => {
      const bytes = Buffer.from(damagedJson(value, plan));
      return below === undefined ? bytes : damaged(bytes, below);
    });
/** What JSON is made of, and what it is not. */
const JSON_PIECES = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '/',
    ' ',
    '\n',
    '\t',
    '\r',
    '\f',
    '\u00a0',
    '\ufeff',
    '\0',
    '\x1f',
    '\x7f',
  ],
  ...['0', '1', '-', '+', '.', 'e', 'E', '00', '1.5', '-0', '1e5', '1E+2', '2.e1', '.5', '1e', '-1.0e-10'],
  ...[
    'true',
    'false',
    'null',
    'tru',
    'nul',
    'True',
    'NaN',
    '"a"',
    '"a":',
    '"body":',
    '"\\u0062ody":',
    '{}',
    '[]',
    ',',
  ],
  ...[
    '\\n',
    '\\u',
    '\\u00e9',
    '\\u12',
    '\\x',
    '\\/',
    '\\"',
    '\\ud83d',
    '\\ude00',
    'é',
    '中',
    '😀',
    '"é":{"body":1}',
  ],
];
const requestAnswers = answerOf(fc.constantFrom(PERMIT, DENIAL), permits, denials);
const responseAnswers = answerOf(fc.constant(ANSWERED), answered(ANSWERED.headers));

describe('an answer to /sideband/request, damaged', () => {
  it('lets a request through only when it is a valid permit', async () => {
    const passed = { permit: 0, refuse: 0 };
    await fc.assert(
      fc.asyncProperty(requestAnswers, async (bytes) => {
        const gateway = fakeGateway({ reading: () => ({ request: REQUEST }) });
        const instance = fakeInstance({ request: () => readRequestAnswer(bytes) });
        await accessPhase(instance, gateway, {});
        const [deed, ...more] = gateway.deeds;
        expect(more).toEqual([]);
        if (deed?.did === 'permit') {
          passed.permit++;
          const valid = validPermit(bytes);
          expect(valid, 'the oracle finds no permit in it').toBeDefined();
          checkRequestChanges(deed.changes, REQUEST);
          expect(readRequestContext(deed.requestContext).outcome).toBe('permit');
          checkState(deed.requestContext, bytes);
        } else if (deed?.did === 'refuse') {
          passed.refuse++;
          const response = jsonObject(bytes)?.response;
          if (instance.decisions[0]?.outcome === 'deny') expect(validResponse(response)).toBeDefined();
          else expect(instance.decisions[0]?.code).toMatch(/^(provider_|directive_|request_unreadable)/);
          checkSent(deed.response);
        } else throw new Error(`neither permitted nor refused: ${JSON.stringify(deed)}`);
      }),
      fuzzed(1200),
    );
    expect(passed.permit, 'too few answers stay valid for this to say anything').toBeGreaterThan(100);
    expect(passed.refuse).toBeGreaterThan(100);
  });

  it('is never a permit when anything in it denies, and never anything but these two or an error', () => {
    fc.assert(
      fc.property(requestAnswers, (bytes) => {
        const answer = attempt(() => readRequestAnswer(bytes));
        if (answer instanceof PingAuthError)
          expect(answer.code).toMatch(/^provider_(not_json|answer_invalid)$/);
        else expect(answer.kind).toBe(Object.hasOwn(jsonObject(bytes) ?? {}, 'response') ? 'deny' : 'permit');
      }),
      fuzzed(800),
    );
  });
});

describe('an answer that is read in steps', () => {
  // Refused wherever it is; JSON.parse lets it pass in a member that nobody reads.
  const isTooDeep = (thrown: unknown) =>
    thrown instanceof PingAuthError && thrown.detail?.startsWith('nested deeper') === true;

  it('is what it is when it is read at once, to the last member and code', async () => {
    const compared = { permit: 0, deny: 0, error: 0 };
    await fc.assert(
      fc.asyncProperty(requestAnswers, async (bytes) => {
        const atOnce = attempt(() => readRequestAnswer(bytes));
        const large = await parseLargeAnswer(bytes).catch((thrown: unknown) => thrown);
        if (isTooDeep(large)) return;
        const inSteps =
          large instanceof Error ? large : attempt(() => readRequestAnswer(bytes, large as LargeAnswer));
        if (atOnce instanceof PingAuthError) expect((inSteps as PingAuthError).code).toBe(atOnce.code);
        else expect(inSteps).toEqual(atOnce);
        compared[atOnce instanceof PingAuthError ? 'error' : atOnce.kind]++;
      }),
      fuzzed(1600),
    );
    for (const times of Object.values(compared)) expect(times).toBeGreaterThan(50);
    await fc.assert(
      fc.asyncProperty(responseAnswers, async (bytes) => {
        const atOnce = attempt(() => readResponseAnswer(bytes));
        const large = await parseLargeAnswer(bytes).catch((thrown: unknown) => thrown);
        if (isTooDeep(large)) return;
        const inSteps =
          large instanceof Error ? large : attempt(() => readResponseAnswer(bytes, large as LargeAnswer));
        if (atOnce instanceof PingAuthError) expect((inSteps as PingAuthError).code).toBe(atOnce.code);
        else expect(inSteps).toEqual(atOnce);
      }),
      fuzzed(1600),
    );
  });

  it('is JSON exactly when JSON.parse says so, wherever the steps end', () => {
    const soup = fc
      .array(fc.constantFrom(...JSON_PIECES), { maxLength: 12 })
      .map((pieces) => pieces.join(''));
    const texts = fc.oneof(
      soup,
      soup.map((text) => `{"body":"${text}"}`),
      soup.map((text) => `{"a":[${text}],"state":${text}}`),
      fc.tuple(fc.json(), damages).map(([text, plan]) => damaged(Buffer.from(text), plan).toString()),
      fc.json(),
    );
    const found = { json: 0, none: 0 };
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 9 }), (text, step) => {
        const bytes = Buffer.from(text);
        const value = parseJson(bytes.toString());
        const scanner = new JsonScanner(bytes, 100, new Set(['body', 'state', 'a']));
        let before = 0;
        const pieces: string[] = [];
        do {
          pieces.push(bytes.toString('utf8', before, scanner.at));
          before = scanner.at;
        } while (scanner.read(step));
        expect(scanner.fault).toBe(value === undefined ? 'no JSON' : undefined);
        found[value === undefined ? 'none' : 'json']++;
        if (value === undefined) return;
        // No step ends within a character.
        expect(pieces.join('') + bytes.toString('utf8', before)).toBe(bytes.toString());
        const members = [...scanner.members].map(([name, { start, end }]) => [
          name,
          JSON.parse(bytes.toString('utf8', start, end)),
        ]);
        const wanted = Object.entries(jsonObject(bytes) ?? {}).filter(([name]) =>
          ['body', 'state', 'a'].includes(name),
        );
        expect(Object.fromEntries(members)).toEqual(Object.fromEntries(wanted));
      }),
      fuzzed(20_000),
    );
    for (const times of Object.values(found)) expect(times).toBeGreaterThan(1000);
  });

  it('keeps each character of a body whose escapes and characters stand where a step ends', async () => {
    const pieces = ['\\u4e2d', '\\ud83d\\ude00', '\\\\', '\\"', '中', '😀', '\\ud83d', 'é'];
    for (const [index, piece] of pieces.entries()) {
      for (let shift = 0; shift < 7; shift++) {
        const filling = piece.repeat(Math.ceil((STEP_BYTES + 40) / Buffer.byteLength(piece)));
        const json = `{"a":1,"body":"${'x'.repeat(shift)}${filling}","state":["${filling}"]}`;
        const { members, state } = await parseLargeAnswer(Buffer.from(json));
        // Compared as a whole, not shown: a difference would print megabytes.
        expect(members.body === (JSON.parse(json) as { body: string }).body, `piece ${index}, ${shift}`).toBe(
          true,
        );
        expect(state === `["${filling}"]`).toBe(true);
      }
    }
  });
});

describe('an answer to /sideband/response, damaged', () => {
  const requestContext = writeRequestContext(aRequestContext('permit', SHOWN, { token: 't' }));

  it('lets a response out only when it is a valid answer, and then changed in nothing but sendable ways', async () => {
    const passed = { filter: 0, withhold: 0 };
    await fc.assert(
      fc.asyncProperty(responseAnswers, async (bytes) => {
        const gateway = fakeGateway({ response: RESPONSE, requestContext });
        const instance = fakeInstance({ response: () => readResponseAnswer(bytes) });
        await responsePhase(instance, gateway, {});
        const [deed, ...more] = gateway.deeds;
        expect(more).toEqual([]);
        if (deed?.did === 'filter') {
          passed.filter++;
          const valid = validResponse(jsonObject(bytes));
          expect(valid, 'the oracle finds no answer in it').toBeDefined();
          const { status, headers, body } = deed.changes;
          expect(status ?? RESPONSE.status).toBe(valid?.status);
          checkHeaders('response', headers, RESPONSE);
          // The policy's body, or the upstream's own when it is the same text.
          const isBodiless = valid?.status === 204 || valid?.status === 304;
          const sent = Buffer.from(body ?? RESPONSE.body).toString();
          expect(sent).toBe(isBodiless ? '' : valid?.body);
        } else if (deed?.did === 'withhold') {
          passed.withhold++;
          expect(instance.decisions[0]?.code).toMatch(/^(provider_|directive_)/);
          checkSent(deed.response);
          expect(Buffer.from(deed.response.body).toString()).not.toContain('hello');
        } else throw new Error(`neither let out nor withheld: ${JSON.stringify(deed)}`);
      }),
      fuzzed(1200),
    );
    expect(passed.filter, 'too few answers stay valid for this to say anything').toBeGreaterThan(100);
    expect(passed.withhold).toBeGreaterThan(100);
  });
});

describe('an answer with another status than 200', () => {
  it('is an error of the catalogue, whatever its body and headers are', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 });
    fc.assert(
      fc.property(
        fc.oneof(fc.constantFrom(413, 429, 401, 302), fc.integer({ min: 201, max: 999 })),
        fc.record({ 'retry-after': text, location: text, 'content-type': text }, { requiredKeys: [] }),
        answerOf(fc.constant({ id: 'i', code: 'c', message: 'm' })),
        (status, headers, body) => {
          const error = statusError(status, headers, body, 1_700_000_000_000);
          expect(Object.keys(ERRORS)).toContain(error.code);
          const { retryAfterSeconds, clientJson } = error;
          if (retryAfterSeconds !== undefined) expect(retryAfterSeconds).toBeGreaterThanOrEqual(0);
          if (clientJson !== undefined) expect(jsonObject(Buffer.from(clientJson))).toBeDefined();
          expect(error.detail).toMatch(/^[\x20-\x7e]*$/);
        },
      ),
      fuzzed(800),
    );
  });
});

function checkRequestChanges(
  changes: Parameters<ReturnType<typeof fakeGateway>['permit']>[0],
  request: HttpRequest,
): void {
  const { method, path, query, host, headers, body } = changes;
  if (method !== undefined) expect(method).toMatch(/^[A-Z]+$/);
  if (path !== undefined) {
    expect(path).toMatch(/^\/(?:[A-Za-z0-9!#$&'()*+,/:;=?@[\]\-_.~]|%[0-9A-Fa-f]{2})*$/);
    expect(path).not.toMatch(/[?#]/);
    const segments = path.split('/').map((segment) => segment.replace(/%2e/gi, '.'));
    expect(segments).not.toContain('..');
    expect(segments).not.toContain('.');
  }
  if (query !== undefined) expect(query).toMatch(/^(?:[A-Za-z0-9!$&'()*+,/:;=?@[\]\-_.~]|%[0-9A-Fa-f]{2})*$/);
  if (host !== undefined) expect(host).toMatch(/^([A-Za-z0-9_.~-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/);
  if (body !== undefined) expect(Buffer.from(body).toString()).not.toContain('\ufffd'.repeat(2));
  checkHeaders('request', headers, request);
  for (const name of ['accept-encoding', 'x-ping-auth', 'host'])
    expect(headerParts(headers).set.has(name)).toBe(false);
  // The upstream must not compress, whatever the policy says.
  expect(headers['accept-encoding']).toEqual([]);
}

function checkHeaders(
  direction: 'request' | 'response',
  changes: HeaderChanges,
  message: HttpRequest | HttpResponse,
): void {
  const { set, remove } = headerParts(changes);
  for (const [name, values] of set) {
    expect(values.length).toBeGreaterThan(0);
    // A value that the policy left as it was keeps its bytes, which need not be text.
    const own = message.headers.getAll(name);
    for (const value of values)
      if (!own.includes(value)) expect(headerFault(direction, name, value)).toBeUndefined();
    expect(remove).not.toContain(name);
  }
  for (const name of remove) {
    expect(message.headers.has(name), `${name} is removed and was not there`).toBe(true);
    expect(['host', 'content-length', 'transfer-encoding', 'connection']).not.toContain(name);
  }
}

function checkSent({ status, headers }: ResponseToSend): void {
  expect(status).toBeGreaterThanOrEqual(200);
  expect(status).toBeLessThan(600);
  for (const [name, value] of headers) expect(headerFault('response', name, value)).toBeUndefined();
  expect(headers).toBeInstanceOf(HeaderList);
}

/** What the policy gave as state goes back to it unchanged. */
function checkState(requestContext: string, answer: Uint8Array): void {
  const value = jsonObject(answer) ?? {};
  const { kept } = readRequestContext(requestContext);
  if (!Object.hasOwn(value, 'state')) {
    expect(kept).toMatch(/^"request":\{/);
    return;
  }
  const state = kept.slice('"state":'.length);
  expect(JSON.stringify(JSON.parse(state))).toBe(JSON.stringify(value.state));
  // To the letter as it stood there.
  expect(Buffer.from(answer).toString()).toContain(state);
}

function attempt<T>(read: () => T): T | PingAuthError {
  try {
    return read();
  } catch (error) {
    if (error instanceof PingAuthError) return error;
    throw error;
  }
}
