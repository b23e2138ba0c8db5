import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyRequestChanges, applyResponseChanges } from '../../src/directives/apply.js';
import { describeChanges } from '../../src/directives/decision.js';
import { decideRequest } from '../../src/directives/request-decision.js';
import { decideResponse } from '../../src/directives/response-decision.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { admitRequest, isBodiless } from '../../src/http/admission.js';
import { bodyRules } from '../../src/http/body.js';
import type { HeaderField, HeaderList } from '../../src/http/headers.js';
import {
  composeUrl,
  escapePath,
  escapeQuery,
  normalisePath,
  parseAnsweredUrl,
  requestUrlFromKong,
} from '../../src/http/request-url.js';
import { decodeLossless, encodeLossless } from '../../src/http/text.js';
import { readRequestContext, writeRequestContext } from '../../src/sideband/request-context.js';
import { readRequestAnswer, readResponseAnswer } from '../../src/sideband/wire-answers.js';
import {
  aRequest,
  aRequestContext,
  aResponse,
  SHOW_ALL,
  showRequest,
  showResponse,
  viewOf,
} from '../model/messages.js';
import { damaged, damages, fuzzed, oddText } from './fuzz.js';

/** What nginx lets through in a header value: any byte but control characters; blanks around it are cut off. */
const headerValue = fc
  .oneof(
    fc.uint8Array({ maxLength: 12 }),
    fc.constantFrom('caf\u00e9', 'a,b', '"q"').map((s) => Buffer.from(s)),
  )
  .map((bytes) =>
    decodeLossless(bytes.filter((byte) => byte >= 0x20 && byte !== 0x7f)).replace(/^ +| +$/g, ''),
  );
const headerName = fc.oneof(
  fc.constantFrom(
    'x-a',
    'x-b',
    'x_a',
    'cookie',
    'content-type',
    'te',
    'via',
    'vary',
    '__proto__',
    'constructor',
  ),
  fc.stringMatching(/^[a-z0-9!#$%&'*+.^`|~-]{1,8}$/),
);
const fields = fc
  .array(fc.tuple(headerName, headerValue), { maxLength: 10 })
  // x_a and x-a are one header to many upstreams, so both of them follow rules of their own (tested by name).
  .map((list) => list.filter(([name]) => !name.includes('_') || !list.some(([other]) => other === 'x-a')));
const text = oddText.map((odd) => Buffer.from(odd));
const OPAQUE: HeaderField = ['content-type', 'application/octet-stream'];
const GZIP: HeaderField = ['content-encoding', 'gzip'];
/** Bytes that are no text, texts, and texts in gzip. Those that are refused are in bodies.test.ts. */
const content = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes, described: [OPAQUE] })),
  text.map((bytes) => ({ bytes, described: [] })),
  text.map((bytes) => ({ bytes: gzipSync(bytes), described: [GZIP] })),
);
/** Two types for one body are refused, unless neither of them is text. */
const describedAs = (list: readonly HeaderField[], described: readonly HeaderField[]): HeaderField[] => {
  const at = list.findIndex(([name]) => name === 'content-type');
  const isDescribed = described.includes(OPAQUE);
  const others = list.filter(([name], i) => name !== 'content-type' || (i === at && !isDescribed));
  return [...others, ...described];
};
/** Kong's `get_path`: decoded but for reserved characters. */
const path = fc
  .array(
    fc.oneof(
      fc.constantFrom('a', '%2F', '%25', 'é', ';x=1', '...', ' ', '"', '|', '~', ':', '@'),
      fc.string({ unit: 'binary', maxLength: 4 }).map((text) => decodeLossless(Buffer.from(text))),
    ),
    { maxLength: 5 },
  )
  // Normalised: no empty and no dot segments.
  .map((parts) =>
    `/${parts.filter((part) => !/^\.{0,2}$/.test(part)).join('/')}`.replace(
      /[?#\p{Cc}]|%(?![0-9A-F]{2})/gu,
      '-',
    ),
  );
const query = fc.option(
  fc
    .array(fc.oneof(fc.constantFrom('a=1', '&', '%', '%zz', '+', '|', '{}', '[]', '?', '"'), headerValue), {
      minLength: 1,
      maxLength: 5,
    })
    .map((parts) => parts.join('').replaceAll('#', '')),
  { nil: undefined },
);

const request = fc
  .record({ method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE'), path, query, fields, content })
  .map(({ method, path: kongPath, query: raw, fields: list, content: { bytes, described } }) => {
    const headers = describedAs(list, described);
    const parts = { scheme: 'https', host: 'api.example', port: 8443, path: kongPath, query: raw };
    return aRequest({ method, url: requestUrlFromKong(parts), headers, body: bytes });
  })
  .filter(isReadable);
const response = fc
  .record({ status: fc.integer({ min: 200, max: 599 }), fields, content })
  .map(({ status, fields: list, content: { bytes, described } }) =>
    aResponse(status, describedAs(list, described), bytes),
  )
  .filter(isReadable);

/** Over the wire and back, as a policy does that changes nothing. */
const overTheWire = (value: object) => Buffer.from(JSON.stringify(value));

describe('a policy that gives back what it was shown', () => {
  it('changes no byte of a request', () => {
    fc.assert(
      fc.property(request, (client) => {
        if (refuses(() => admitRequest(client, SHOW_ALL))) return;
        const shown = showRequest(client, SHOW_ALL);
        const decision = decideRequest(readRequestAnswer(overTheWire(shown.payload)), client, shown);
        if (decision.kind !== 'permit') throw new Error('denied');
        expect(describeChanges(decision.changes)).toEqual([]);
        const upstream = applyRequestChanges(client, decision.changes);
        expect(wire(upstream)).toEqual(wire(client));
      }),
      fuzzed(700),
    );
  });

  it('changes no byte of a response', () => {
    const requestContext = aRequestContext('permit', showRequest(aRequest(), SHOW_ALL).payload, null);
    fc.assert(
      fc.property(response, (upstream) => {
        const shown = showResponse(upstream, requestContext, SHOW_ALL);
        const answer = readResponseAnswer(overTheWire(shown.payload));
        const { changes } = decideResponse(answer, upstream, shown.body, 'GET');
        const isTaken = isBodiless(upstream.status) && upstream.body.length > 0;
        const isCoded = upstream.headers.has('content-encoding');
        const taken = isCoded ? ['-header:content-encoding', 'body'] : ['body'];
        expect(describeChanges(changes)).toEqual(isTaken ? taken : []);
        const rest = upstream.headers.filter((name) => !isTaken || name !== 'content-encoding');
        expect(wire(applyResponseChanges(upstream, changes)).headers).toEqual(
          wire({ ...upstream, headers: rest }).headers,
        );
      }),
      fuzzed(700),
    );
  });
});

describe('a policy that wants another request', () => {
  it('gets it, and the bytes that it left alone stay', () => {
    fc.assert(
      fc.property(request, request, (client, wanted) => {
        const shown = showRequest(client, SHOW_ALL);
        const wish = showRequest(wanted, SHOW_ALL).payload;
        const outcome = attempt(() => decideRequest(readRequestAnswer(overTheWire(wish)), client, shown));
        // A path that only Kong could have written (`/a/..`) is not the policy's to set.
        if (outcome instanceof PingAuthError) {
          expect(outcome.code).toMatch(/^(directive_invalid|request_unreadable)$/);
          return;
        }
        if (outcome.kind !== 'permit') throw new Error('denied');
        const upstream = applyRequestChanges(client, outcome.changes);
        expect(upstream.method).toBe(wanted.method);
        expect(upstream.url.path).toBe(wanted.url.path);
        expect(escapeQuery(upstream.url.query ?? '')).toBe(escapeQuery(wanted.url.query ?? ''));
        // Whatever the bytes are by now: their reader gets what the policy wants.
        const isText = wish.body !== undefined && shown.body.kind !== 'omitted';
        if (isText) expect(showRequest(upstream, SHOW_ALL).payload.body).toBe(wish.body);
        for (const name of wanted.headers.names()) {
          if (['te', 'via', 'host', 'content-encoding'].includes(name)) continue;
          const [own, want, got] = [client, wanted, upstream].map(({ headers }) => headers.getAll(name));
          if (same(own, want)) expect(got, name).toEqual(own);
          else expect(got?.map(asShown), name).toEqual(want?.map(asShown));
        }
      }),
      fuzzed(700),
    );
  });
});

describe('URLs', () => {
  it('come back from the policy as they were composed', () => {
    fc.assert(
      fc.property(request, ({ url }) => {
        const back = parseAnsweredUrl(composeUrl(url));
        expect(back).toMatchObject({ scheme: url.scheme, host: url.host, port: url.port, path: url.path });
        expect(back.query).toBe(escapeQuery(url.query ?? ''));
      }),
      fuzzed(700),
    );
  });

  it('are taken apart or refused with a reason, whatever text the policy sends', () => {
    const text = fc
      .array(
        fc.oneof(oddText, fc.constantFrom('http://', 'https:', '//', 'a.example', ':', '@', '?', '/..')),
        {
          maxLength: 6,
        },
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, (url) => {
        const parsed = attempt(() => parseAnsweredUrl(url));
        if (parsed instanceof PingAuthError) {
          expect(parsed.code).toBe('directive_invalid');
          return;
        }
        // Whatever is accepted is what WHATWG's parser, which repairs, reads without repairing it.
        // WHATWG rewrites addresses (`0` is 0.0.0.0 to it, `[::0]` is [::]), which only names a host here.
        if (/^\[|(?:^|\.)(?:\d+|0x[\da-f]*)\.?$/i.test(parsed.host)) return;
        const whatwg = new URL(url);
        expect(whatwg.hostname).toBe(parsed.host.toLowerCase());
        expect(whatwg.username + whatwg.hash).toBe('');
      }),
      fuzzed(1500),
    );
  });

  it('have a path whose normal form is its own normal form, and has no dot segments', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(oddText, fc.constantFrom('/', '..', '.', '%2e', '%2F', 'a', '%C3%A9')), {
          maxLength: 8,
        }),
        (parts) => {
          const once = normalisePath(`/${parts.join('')}`);
          if (once === undefined) return;
          expect(normalisePath(once)).toBe(once);
          expect(escapePath(once)).toBe(once);
          expect(once.split('/')).not.toContain('..');
          expect(once.split('/')).not.toContain('.');
        },
      ),
      fuzzed(1500),
    );
  });
});

describe('the request context between the two phases', () => {
  const correlation = fc.record({ requestId: fc.string(), traceparent: fc.string() }, { requiredKeys: [] });
  const requestContexts = fc
    .tuple(
      fc.constantFrom('permit' as const, 'fail_open' as const, 'monitor' as const),
      request,
      fc.option(fc.jsonValue(), { nil: undefined }),
      correlation,
    )
    .map(([outcome, client, state, ids]) => {
      const given = state === undefined ? undefined : JSON.parse(JSON.stringify(state));
      return aRequestContext(outcome, showRequest(client, SHOW_ALL).payload, given, ids);
    });

  it('is read as it was written', () => {
    fc.assert(
      fc.property(requestContexts, (requestContext) => {
        // Through Kong, whose strings are bytes.
        const text = decodeLossless(encodeLossless(writeRequestContext(requestContext)));
        expect(JSON.stringify(readRequestContext(text))).toBe(JSON.stringify(requestContext));
      }),
      fuzzed(500),
    );
  });

  it('holds enough to ask the policy about a response', () => {
    fc.assert(
      fc.property(requestContexts, (requestContext) => {
        const shown = showResponse(
          aResponse(200, [], 'x'),
          readRequestContext(writeRequestContext(requestContext)),
          SHOW_ALL,
        );
        expect(shown.payload.state !== undefined || shown.payload.request !== undefined).toBe(true);
      }),
      fuzzed(300),
    );
  });

  it('is refused with state_missing when some of it is missing, or when there is more', () => {
    fc.assert(
      fc.property(requestContexts, damages, (requestContext, plan) => {
        const whole = writeRequestContext(requestContext);
        const text = decodeLossless(damaged(Buffer.from(whole), plan));
        const read = attempt(() => readRequestContext(text));
        // It holds no checksum: who can write another text of the same length can write a fitting one, too.
        if (text.length === whole.length && !(read instanceof PingAuthError)) return;
        expect(read instanceof PingAuthError && read.code).toBe('state_missing');
      }),
      fuzzed(700),
    );
  });
});

/** A NUL near its start makes a text look like UTF-16, for instance. */
function isReadable(message: { readonly body: Uint8Array; readonly headers: HeaderList }): boolean {
  return !refuses(() => viewOf(message.body, message.headers, bodyRules('request', SHOW_ALL)));
}

function wire({ headers, body: bytes }: { headers: Iterable<readonly [string, string]>; body: Uint8Array }) {
  const sorted = Array.from(
    headers,
    ([name, value]) => `${name}: ${Buffer.from(encodeLossless(value)).toString('hex')}`,
  );
  return { headers: sorted, body: Buffer.from(bytes).toString('hex') };
}

/** Latin-1 bytes and the characters that they are shown as are one thing to the policy. */
function asShown(value: string): string {
  return value.replace(/[\udc80-\udcff]/gu, (escaped) => String.fromCharCode(escaped.charCodeAt(0) - 0xdc00));
}

function same(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function refuses(action: () => void): boolean {
  return attempt(action) instanceof PingAuthError;
}

function attempt<T>(action: () => T): T | PingAuthError {
  try {
    return action();
  } catch (error) {
    if (error instanceof PingAuthError) return error;
    throw error;
  }
}
