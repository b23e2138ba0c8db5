import type { ClientRequest, ClientResponse } from '../http-client.js';
import type { SidebandCall } from '../policy-provider/call-log.js';
import type { ReceivedRequest } from '../upstream/answers.js';

/** What four parties saw of one request. */
export interface Trail {
  readonly sent: ClientRequest;
  readonly calls: readonly SidebandCall[];
  readonly upstream: readonly ReceivedRequest[];
  readonly got: ClientResponse;
}

export interface Story {
  readonly title: string;
  readonly request: ClientRequest;
  /** Before the request: the policy provider is shot. */
  readonly providerDown?: boolean;
  /** What must be true, in words, so that the story came out right. */
  readonly checks: Readonly<Record<string, (trail: Trail) => boolean>>;
}

const ADA = ['Authorization', 'Bearer ada'] as const;
const GUEST = ['Authorization', 'Bearer guest'] as const;
const JSON_TYPE = ['Content-Type', 'application/json'] as const;

/** In the order in which they are told. */
export const STORIES: readonly Story[] = [
  {
    title: 'Allowed',
    request: { path: '/bank/accounts?page=2', headers: [ADA] },
    checks: {
      'the policy was asked before and after': ({ calls }) =>
        phases(calls) === 'request permit, response answer',
      'the upstream got the request as it was': ({ upstream }) =>
        upstream[0]?.url === '/bank/accounts?page=2',
      'the client got the answer of the upstream': ({ got }) =>
        got.status === 200 && got.header('x-upstream') !== undefined,
    },
  },
  {
    title: 'Denied: the caller is unknown',
    request: { path: '/bank/accounts' },
    checks: {
      'the upstream got nothing': ({ upstream }) => upstream.length === 0,
      'the client got 401 and is told how': ({ got }) =>
        got.status === 401 && got.header('www-authenticate') === 'Bearer realm="bank"',
    },
  },
  {
    title: 'Denied: a guest wants to change something',
    request: { method: 'DELETE', path: '/bank/accounts/7', headers: [GUEST] },
    checks: {
      'the upstream got nothing': ({ upstream }) => upstream.length === 0,
      "the client got the policy's status, header and body": ({ got }) =>
        got.status === 403 &&
        got.header('x-policy') === 'guests-read-only' &&
        got.text().includes('Guests may only look'),
    },
  },
  {
    title: 'Changed in the access phase',
    request: {
      method: 'POST',
      path: '/bank/transfers?to=bob&trace=1',
      headers: [ADA, JSON_TYPE, ['X-Debug', 'all']],
      body: '{"amount":250,"fee":0}',
    },
    checks: {
      'a header is gone, another is new': ({ upstream }) =>
        header(upstream[0], 'x-debug') === undefined && header(upstream[0], 'x-customer-tier') === 'gold',
      'the query is rewritten': ({ upstream }) => upstream[0]?.url === '/bank/transfers?to=bob&reviewed=yes',
      'a property of the body is gone': ({ upstream }) => upstream[0]?.bodyText === '{"amount":250}',
      'the client got its answer': ({ got }) => got.status === 200,
    },
  },
  {
    title: 'Filtered in the response phase',
    request: { path: '/bank/profile', headers: [ADA] },
    checks: {
      'the number and the balances stay inside': ({ got }) =>
        got.text() === '{"name":"Ada","accounts":[{"id":1},{"id":2}]}',
      "so does the upstream's own header": ({ got }) => got.header('x-internal') === undefined,
    },
  },
  {
    title: 'Withheld in the response phase, because of the caller',
    request: { path: '/bank/text/200', headers: [GUEST] },
    checks: {
      'the upstream answered 200': ({ calls }) => member(calls[1]?.payload, 'response_code') === '200',
      'the client got 403 and nothing of it': ({ got }) =>
        got.status === 403 && got.text() === 'Statements are for customers.\n',
    },
  },
  {
    title: 'The policy provider is down: refused',
    providerDown: true,
    request: { path: '/bank/accounts', headers: [ADA] },
    checks: {
      'the upstream got nothing': ({ upstream }) => upstream.length === 0,
      'the client got 502': ({ got }) => got.status === 502,
    },
  },
];

function phases(calls: readonly SidebandCall[]): string {
  return calls.map(({ phase, decision }) => `${phase} ${decision}`).join(', ');
}

function header(request: ReceivedRequest | undefined, name: string): string | undefined {
  return request?.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
