import { type Replies, reply } from './kong-end.js';

/** The warm-up's configuration; its provider stands in this process, whatever the address. */
export const CONFIG = {
  service_url: 'http://policy-provider.invalid',
  shared_secret: 'warm-up',
  secret_header_name: 'CLIENT-TOKEN',
};

const HEADERS = {
  host: 'api.example.com',
  accept: 'application/json, text/plain, */*',
  'accept-encoding': 'gzip, deflate, br',
  authorization: 'Bearer 0123456789abcdef',
  'user-agent': 'warm-up/1',
};
const BODY = JSON.stringify({ id: 4711, name: 'Ada Lovelace', note: 'said "hello" in Zürich' });
const OF_BODY = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(BODY)) };
const REQUEST_ID = 'f386ef04c49c864b7cbe977b439cdb0e';

const KINDS = [
  ['GET', HEADERS],
  ['POST', { ...HEADERS, ...OF_BODY }],
] as const;

/** What Kong says of the requests with kong/nginx/ping-auth-http.conf and without it: an instance finds out which, and keeps to it. */
export const REQUESTS: readonly (readonly Replies[])[] = [
  KINDS.map(([method, headers]) => {
    const client = ['ping-auth-1', '192.0.2.7', '40368', method, 'http', 'api.example.com', '8000'];
    const target = ['/accounts/4711/transactions?page=2', 'page=2', 'HTTP/1.1', REQUEST_ID, ''];
    return repliesOf({
      'kong.nginx.get_var ping_auth_request': [...client, ...target].join('\u001f'),
      'kong.request.get_forwarded_port': 8000,
      'kong.request.get_headers': headers,
      'kong.request.get_raw_body': BODY,
    });
  }),
  KINDS.map(([method, headers]) =>
    repliesOf({
      'kong.client.get_forwarded_ip': '192.0.2.7',
      'kong.client.get_port': 40368,
      'kong.request.get_method': method,
      'kong.request.get_forwarded_scheme': 'http',
      'kong.request.get_forwarded_host': 'api.example.com',
      'kong.request.get_forwarded_port': 8000,
      'kong.request.get_path': '/accounts/4711/transactions',
      'kong.request.get_raw_query': 'page=2',
      'kong.request.get_http_version': 1.1,
      'kong.request.get_headers': headers,
      'kong.request.get_raw_body': BODY,
      'kong.nginx.get_var kong_request_id': REQUEST_ID,
    }),
  ),
];

/** What Kong says of the upstream's answer to each of them. */
export const RESPONSE: Replies = repliesOf({
  'kong.response.get_status': 200,
  'kong.response.get_headers': { date: 'Mon, 01 Jan 2024 00:00:00 GMT', server: 'upstream', ...OF_BODY },
  'kong.service.response.get_raw_body': BODY,
});

function repliesOf(values: Readonly<Record<string, Parameters<typeof reply>[0]>>): Replies {
  return new Map(Object.entries(values).map(([method, value]) => [method, reply(value)]));
}
