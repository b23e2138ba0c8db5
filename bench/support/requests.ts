import type { LaneRequest } from '../../dev/kong-connection/lane.js';
import {
  type PdkHeaders,
  type RequestFacts,
  requestReplies,
  responseReplies,
  variableReply,
} from '../../dev/kong-connection/request-replies.js';

/** A request of the benches, of a Kong with kong/nginx/ping-auth-http.conf, and the upstream's answer to it. */
export interface BenchRequest extends LaneRequest {
  readonly method: string;
  readonly headers: PdkHeaders;
  readonly body: Buffer;
  readonly response: BenchResponse;
}

export interface BenchResponse {
  readonly headers: PdkHeaders;
  readonly body: Buffer;
}

/** Eighteen headers, about what a browser behind a load balancer sends to an API. */
const HEADERS = {
  host: 'api.example.com',
  accept: 'application/json, text/plain, */*',
  'accept-encoding': 'gzip, deflate, br',
  'accept-language': 'de-DE,de;q=0.9,en;q=0.8',
  authorization: `Bearer ${'eyJhbGciOiJSUzI1NiJ9'.repeat(20)}`,
  'cache-control': 'no-cache',
  cookie: 'session=3f2a8c1e9b; theme=dark; consent=yes',
  origin: 'https://app.example.com',
  referer: 'https://app.example.com/accounts/overview',
  'sec-ch-ua': '"Chromium";v="126", "Not A Brand";v="99"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  'sec-fetch-dest': 'empty',
  'sec-fetch-mode': 'cors',
  'sec-fetch-site': 'same-site',
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/126.0 Safari/537.36',
  'x-requested-with': ['XMLHttpRequest', 'fetch'],
};

const FACTS = {
  ip: '192.0.2.7',
  port: 40368,
  scheme: 'http',
  host: 'api.example.com',
  listener: 8000,
  path: '/accounts/4711/transactions',
  query: 'from=2024-01-01&to=2024-12-31&page=2',
  id: 'f386ef04c49c864b7cbe977b439cdb0e',
} satisfies Partial<RequestFacts>;

/** What a sideband payload says about the target of every request. */
export const SHOWN = {
  source_ip: FACTS.ip,
  source_port: FACTS.port,
  origin: `${FACTS.scheme}://${FACTS.host}:${FACTS.listener}`,
  path: FACTS.path,
  query: FACTS.query,
} as const;

/** What a browser sends: a POST of so many bytes of text, or a GET without a body for 0. */
export function benchRequest(bodyBytes: number): BenchRequest {
  return requestOf(HEADERS, jsonText(bodyBytes), { headers: RESPONSE_HEADERS, body: RESPONSE_BODY });
}

/** What another program sends: four headers, and as little comes back. */
export function smallRequest(bodyBytes: number, decision: LaneRequest['decision'] = 'allowed'): BenchRequest {
  const response = { headers: { ...SMALL_RESPONSE_HEADERS, 'content-length': '2' }, body: Buffer.from('ok') };
  return requestOf(SMALL_HEADERS, jsonText(bodyBytes), response, decision);
}

const SMALL_HEADERS = {
  host: HEADERS.host,
  accept: HEADERS.accept,
  'user-agent': 'load/1',
  authorization: 'Bearer 0123456789abcdef',
};

/** A small request with these headers more and this body, answered with JSON. */
export function smallExchange(headers: PdkHeaders, body: Buffer, answer: Buffer): BenchRequest {
  return requestOf({ ...SMALL_HEADERS, ...headers }, body, {
    headers: { ...SMALL_RESPONSE_HEADERS, 'content-length': String(answer.length) },
    body: answer,
  });
}

function requestOf(
  given: PdkHeaders,
  body: Buffer,
  response: BenchResponse,
  decision: LaneRequest['decision'] = 'allowed',
): BenchRequest {
  const ofBody = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const headers = body.length === 0 ? given : { ...given, ...ofBody };
  const facts = { ...FACTS, method: body.length === 0 ? 'GET' : 'POST', headers };
  const replies = {
    ...requestReplies(facts),
    ...variableReply(facts),
    'kong.request.get_raw_body': body,
    ...responseReplies(200, response.headers, response.body),
  };
  return { method: facts.method, headers, body, response, replies, decision };
}

const RESPONSE_BODY = Buffer.from(JSON.stringify({ balance: 42, currency: 'EUR', items: [1, 2, 3] }));
const RESPONSE_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'content-length': String(RESPONSE_BODY.length),
  date: 'Mon, 01 Jan 2024 00:00:00 GMT',
  etag: 'W/"3f-abc"',
  'set-cookie': ['a=1', 'b=2'],
  vary: 'Accept-Encoding',
  'x-kong-upstream-latency': '3',
};
const SMALL_RESPONSE_HEADERS = {
  'content-type': 'application/json',
  date: RESPONSE_HEADERS.date,
  server: 'upstream',
};

/** Text as APIs send it: JSON with quotes, some of it not ASCII. */
function jsonText(bytes: number): Buffer {
  const item = '{"id":4711,"name":"Ada Lovelace","note":"said \\"hello\\" in Zürich","tags":["a","b"]},';
  const text = Buffer.alloc(bytes, item);
  // No character may be cut at the end.
  return text.fill(' ', text.lastIndexOf(',') + 1);
}
