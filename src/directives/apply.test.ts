import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  aRequest,
  aRequestContext,
  aResponse,
  bytes,
  echo,
  permit,
  SHOW_ALL,
  showRequest,
  showResponse,
} from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList, valuesOf } from '../http/headers.js';
import { composeUrl, escapePath, escapeQuery, normalisePath } from '../http/request-url.js';
import { decodeLossless, encodeLossless, toWireText } from '../http/text.js';
import { applyRequestChanges, applyResponseChanges } from './apply.js';
import { describeChanges, NO_REQUEST_CHANGES, NO_RESPONSE_CHANGES } from './decision.js';
import { failOpenChanges } from './header-changes.js';
import { decideRequest } from './request-decision.js';
import { decideResponse } from './response-decision.js';

const SEEDED = { seed: 20_260, numRuns: 400 };

// Few names and values, so that messages overlap. No `_` variants: those are removed by rule (request-decision.test.ts).
const name = fc.constantFrom('x-a', 'x-b', 'x-c', 'accept', 'content-type', 'cookie');
const plainValue = fc.constantFrom('', '1', '2', 'café', 'a, b', 'б😀', 'q=0.5');
const anyValue = fc
  .uint8Array({ maxLength: 6 })
  .map((raw) => decodeLossless(raw.map((byte) => (byte < 0x21 || byte === 0x7f ? 0x2e : byte))));
const headersOf = (value: fc.Arbitrary<string>) => fc.array(fc.tuple(name, value), { maxLength: 8 });
const segment = fc.constantFrom('a', 'b', 'c%2Fd', 'caf%C3%A9', '~x', 'y;z=1', '%25', '...');
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`);
const query = fc.option(fc.constantFrom('a=1', 'a=1&b=%2F', 'x=%&y=%zz', 'q=\udce9|', 'flag', '{}'), {
  nil: undefined,
});
const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH');
const bodyText = fc.constantFrom('', 'x', '{"a":1}', 'é😀', '\ufeff', 'ab\0');

const requestOf = (value: fc.Arbitrary<string>) =>
  fc
    .record({ method, path, query, headers: headersOf(value), body: bodyText })
    .map(({ path: urlPath, query: urlQuery, ...rest }) =>
      aRequest({ ...rest, url: { path: urlPath, query: urlQuery } }),
    );
const responseOf = (value: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.constantFrom(200, 201, 402, 404, 500), headersOf(value), bodyText)
    .map(([status, headers, body]) => aResponse(status, headers, body));

/** A body with two types is refused (readable-body.test.ts), and nginx has one slot (one-line-headers.test.ts). */
const hasOneType = ({ headers }: { readonly headers: HeaderList }) =>
  headers.getAll('content-type').length < 2;

/** Names with their values: the order among different names carries no meaning and does not survive Kong's maps. */
const asMap = (headers: HeaderList) => {
  const map = headers.filter((candidate) => candidate !== 'content-length').toRecord();
  return new Map(
    Object.entries(map)
      .map(([name, value]) => [name, valuesOf(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
};

describe('a decision, applied to the message it is about', () => {
  it('makes of any request the one that the policy wants', () => {
    fc.assert(
      fc.property(
        requestOf(anyValue).filter(hasOneType),
        requestOf(plainValue).filter(hasOneType),
        (client, wanted) => {
          const decision = decideRequest(permit(wanted), client, showRequest(client, SHOW_ALL));
          if (decision.kind !== 'permit') throw new Error('denied');
          const upstream = applyRequestChanges(client, decision.changes);
          expect(upstream.method).toBe(wanted.method);
          expect(upstream.url.path).toBe(wanted.url.path);
          expect(escapeQuery(upstream.url.query ?? '')).toBe(escapeQuery(wanted.url.query ?? ''));
          expect(Buffer.from(upstream.body)).toEqual(Buffer.from(wanted.body));
          expect([...asMap(upstream.headers)].map(([key, values]) => [key, values.map(toWireText)])).toEqual([
            ...asMap(wanted.headers),
          ]);
        },
      ),
      SEEDED,
    );
  });

  it('makes of any response the one that the policy wants', () => {
    fc.assert(
      fc.property(
        responseOf(anyValue).filter(hasOneType),
        responseOf(plainValue).filter(hasOneType),
        (upstream, wanted) => {
          const requestContext = aRequestContext('permit', showRequest(aRequest(), SHOW_ALL).payload, null);
          const answer = {
            responseCode: wanted.status,
            headers: echo(wanted.headers),
            body: Buffer.from(wanted.body).toString(),
          };
          const { changes } = decideResponse(
            answer,
            upstream,
            showResponse(upstream, requestContext, SHOW_ALL).body,
            'GET',
          );
          const client = applyResponseChanges(upstream, changes);
          expect(client.status).toBe(wanted.status);
          expect(Buffer.from(client.body)).toEqual(Buffer.from(wanted.body));
          expect([...asMap(client.headers)].map(([key, values]) => [key, values.map(toWireText)])).toEqual([
            ...asMap(wanted.headers),
          ]);
        },
      ),
      SEEDED,
    );
  });

  it('changes nothing when the answer is what was shown, bytes that are no text included', () => {
    const types = ['application/octet-stream', 'text/plain', 'text/plain; charset=iso-8859-1'];
    const passed = new Set<string>();
    fc.assert(
      fc.property(
        requestOf(anyValue),
        responseOf(anyValue),
        fc.uint8Array({ minLength: 1, maxLength: 16 }),
        fc.constantFrom(...types),
        (client, upstream, raw, type) => {
          const typed = <T extends { readonly headers: HeaderList }>(message: T) => {
            const others = message.headers.filter((other) => other !== 'content-type');
            return { ...message, headers: HeaderList.from([...others, ['content-type', type]]), body: raw };
          };
          const [request, response] = [typed(client), typed(upstream)];
          if (type === 'text/plain' && !isUtf8(raw)) {
            expect(() => showRequest(request, SHOW_ALL)).toThrow(PingAuthError);
            return;
          }
          passed.add(`${type} ${isUtf8(raw)}`);
          const shown = showRequest(request, SHOW_ALL);
          const decision = decideRequest(permit(request, { body: shown.payload.body }), request, shown);
          expect(decision.kind === 'permit' && describeChanges(decision.changes)).toEqual([]);

          const shownResponse = showResponse(
            response,
            aRequestContext('permit', shown.payload, null),
            SHOW_ALL,
          );
          const answer = {
            responseCode: response.status,
            headers: echo(response.headers),
            body: shownResponse.payload.body,
          };
          const { changes } = decideResponse(answer, response, shownResponse.body, request.method);
          expect(describeChanges(changes)).toEqual([]);
          expect(applyResponseChanges(response, changes)).toEqual(response);
        },
      ),
      SEEDED,
    );
    expect(passed.size, 'some kind of body never came up').toBe(5);
  });

  it('writes back the very bytes of what stays', () => {
    const request = aRequest({
      headers: [
        ['x-a', 'caf\udce9'],
        ['x-a', 'old'],
      ],
    });
    const headers: HeaderField[] = [
      ['x-a', 'café'],
      ['x-a', 'new'],
    ];
    const decision = decideRequest(permit(request, { headers }), request, showRequest(request, SHOW_ALL));
    if (decision.kind !== 'permit') throw new Error('denied');
    const values = applyRequestChanges(request, decision.changes).headers.getAll('x-a');
    expect(values.map((value) => [...encodeLossless(value)])).toEqual([
      [0x63, 0x61, 0x66, 0xe9],
      [...bytes('new')],
    ]);
  });
});

describe('a path, however the client writes it', () => {
  const raw = fc
    .array(fc.constantFrom('/', '.', '..', 'a', '%2e', '%2F', '%20', '%c3%a9', '~', '%7E', '|', 'é'), {
      maxLength: 10,
    })
    .map((parts) => `/${parts.join('')}`);

  it('has no way round its normal form: normalising and escaping again change nothing', () => {
    fc.assert(
      fc.property(raw, (target) => {
        const once = normalisePath(target);
        fc.pre(once !== undefined);
        expect(once).not.toMatch(/\/\/|\/\.{1,2}(\/|$)/);
        expect(normalisePath(once)).toBe(once);
        expect(escapePath(once)).toBe(once);
      }),
      SEEDED,
    );
  });
});

describe('on the model', () => {
  it('a new Host shows in URL and headers, a new body in the length', () => {
    const request = aRequest({ method: 'POST', headers: [['transfer-encoding', 'chunked']], body: 'abc' });
    const changed = applyRequestChanges(request, {
      ...NO_REQUEST_CHANGES,
      host: 'inner.example:81',
      query: '',
      body: bytes('hello'),
    });
    expect(composeUrl(changed.url)).toBe('https://inner.example:8443/v1/users');
    expect(echo(changed.headers)).toEqual([
      ['host', 'inner.example:81'],
      ['content-length', '5'],
    ]);
  });

  it('HEAD and 204 get no length of a body', () => {
    const response = aResponse(204, [], '');
    const erased = { ...NO_RESPONSE_CHANGES, body: new Uint8Array() };
    expect(applyResponseChanges(response, erased).headers.size).toBe(0);
    expect(applyResponseChanges(aResponse(200), erased, 'HEAD').headers.size).toBe(0);
    expect(applyResponseChanges(aResponse(200), erased).headers.get('content-length')).toBe('0');
  });

  it('no changes are no changes', () => {
    expect(describeChanges(NO_REQUEST_CHANGES)).toEqual([]);
    expect(describeChanges(NO_RESPONSE_CHANGES)).toEqual([]);
  });

  it('a summary names what changed and no value', () => {
    const changes = {
      ...NO_REQUEST_CHANGES,
      method: 'PUT',
      path: '/secret',
      query: '',
      host: 'secret',
      headers: { 'x-a': 'secret', 'x-b': [] },
      body: bytes('secret'),
    };
    expect(describeChanges(changes)).toEqual([
      'method',
      'path',
      'query',
      'host',
      'header:x-a',
      '-header:x-b',
      'body',
    ]);
    expect(describeChanges({ ...NO_RESPONSE_CHANGES, status: 403 })).toEqual(['status']);
  });

  it('a request without a decision is marked, whatever mark the client put on it', () => {
    const { headers } = aRequest({
      headers: [
        ['X-Ping-Auth', 'permit'],
        ['x_ping_auth', 'permit'],
        ['accept-encoding', 'gzip'],
        ['x-a', '1'],
      ],
    });
    const upstream = applyRequestChanges({ ...aRequest(), headers }, failOpenChanges(headers));
    expect(echo(upstream.headers)).toEqual([
      ['host', 'api.example:8443'],
      ['x-ping-auth', 'fail-open'],
      ['x-a', '1'],
    ]);
  });
});
