import { type BenchRequest, SHOWN, smallRequest } from '../support/requests.js';

/** A kind of request, and what the policy makes of it. */
export interface LimitCase {
  /** For `--case`, and the path under which the policy provider answers for it. */
  readonly name: 'get' | 'post' | 'denied' | 'changed';
  readonly title: string;
  readonly request: BenchRequest;
}

const GET = smallRequest(0);

export const CASES: readonly LimitCase[] = [
  { name: 'get', title: 'GET, unchanged', request: GET },
  { name: 'post', title: 'POST of 1 kB, unchanged', request: smallRequest(1024) },
  { name: 'denied', title: 'GET, denied', request: smallRequest(0, 'denied') },
  { name: 'changed', title: 'GET, headers and path changed', request: smallRequest(0) },
];

const { origin, path, query, ...source } = SHOWN;
const { authorization: _, ...kept } = GET.headers;
const NEW_HEADERS = { ...kept, 'user-agent': 'gateway/1', 'x-user': '4711', 'x-scope': 'accounts:read' };

/** What the policy provider answers; to any other call what it got. */
export const ANSWERS = {
  '/denied/sideband/request': {
    response: {
      response_code: '403',
      response_status: 'Forbidden',
      http_version: '1.1',
      headers: [{ 'content-type': 'application/json' }, { 'x-reason': 'scope' }],
      body: '{"error":"insufficient_scope"}',
    },
  },
  '/changed/sideband/request': {
    ...source,
    method: 'GET',
    url: `${origin}/internal${path}?${query}`,
    http_version: '1.1',
    headers: Object.entries(NEW_HEADERS).map(([name, value]) => ({ [name]: value })),
    state: { session: '3f2a8c1e9b' },
  },
};
