type Headers = Readonly<Record<string, string | readonly string[]>>;

/** What the benches' Kong tells plugins about a request and about the upstream's answer to it. */
export interface BenchRequest {
  readonly method: 'GET' | 'POST';
  /** Request headers, as get_headers shows them. */
  readonly headers: Headers;
  readonly body: Uint8Array;
  /** Of kong/nginx/ping-auth-http.conf. */
  readonly variable: string;
  readonly response: { readonly headers: Headers; readonly body: Uint8Array };
  /** Whether the plugin has to answer it instead of the upstream. */
  readonly denied: boolean;
}

/** Kong's end of a plugin server, as lean as it gets: what is measured is the server, not this. */
export interface KongSide {
  /**
   * Access and response phase of one request; access alone when it has to be denied.
   * @throws Error when the server refuses what it has to let pass, or the other way round.
   */
  request(request: BenchRequest): Promise<void>;
  close(): void;
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
} as const;

const FIELDS = {
  ip: '192.0.2.7',
  port: 40368,
  scheme: 'http',
  host: 'api.example.com',
  listener: 8000,
  path: '/accounts/4711/transactions',
  query: 'from=2024-01-01&to=2024-12-31&page=2',
  id: 'f386ef04c49c864b7cbe977b439cdb0e',
} as const;

/** What a sideband payload says about the target of every request. */
export const SHOWN = {
  source_ip: FIELDS.ip,
  source_port: FIELDS.port,
  origin: `${FIELDS.scheme}://${FIELDS.host}:${FIELDS.listener}`,
  path: FIELDS.path,
  query: FIELDS.query,
} as const;

/** What a browser sends: a POST of so many bytes of text, or a GET without a body for 0. */
export function benchRequest(bodyBytes: number): BenchRequest {
  return requestWith(HEADERS, { headers: RESPONSE_HEADERS, body: RESPONSE_BODY }, bodyBytes);
}

/** What another program sends: four headers, and as little comes back. */
export function smallRequest(bodyBytes: number, denied = false): BenchRequest {
  const { host, accept } = HEADERS;
  const headers = { host, accept, 'user-agent': 'load/1', authorization: 'Bearer 0123456789abcdef' };
  const { date } = RESPONSE_HEADERS;
  const answered = { 'content-type': 'application/json', 'content-length': '2', date, server: 'upstream' };
  return { ...requestWith(headers, { headers: answered, body: Buffer.from('ok') }, bodyBytes), denied };
}

function requestWith(headers: Headers, response: BenchRequest['response'], bodyBytes: number): BenchRequest {
  const method = bodyBytes === 0 ? 'GET' : 'POST';
  const { ip, port, scheme, host, listener, path, query, id } = FIELDS;
  const target = `${path}?${query}`;
  const fields = ['ping-auth-1', ip, port, method, scheme, host, listener, target, query, 'HTTP/1.1', id, ''];
  const ofBody = { 'content-type': 'application/json', 'content-length': String(bodyBytes) };
  return {
    method,
    headers: bodyBytes === 0 ? headers : { ...headers, ...ofBody },
    body: jsonText(bodyBytes),
    variable: fields.join('\u001f'),
    response,
    denied: false,
  };
}

/** Replies to the reads of the access and the response phase; `get_var` by its name. */
export function replyTo(request: BenchRequest, method: string, name: unknown): unknown {
  switch (method) {
    case 'kong.client.get_forwarded_ip':
      return FIELDS.ip;
    case 'kong.client.get_port':
      return FIELDS.port;
    case 'kong.request.get_method':
      return request.method;
    case 'kong.request.get_forwarded_scheme':
      return FIELDS.scheme;
    case 'kong.request.get_forwarded_host':
      return FIELDS.host;
    case 'kong.request.get_forwarded_port':
      return FIELDS.listener;
    case 'kong.request.get_path':
      return FIELDS.path;
    case 'kong.request.get_raw_query':
      return FIELDS.query;
    case 'kong.request.get_http_version':
      return 1.1;
    case 'kong.request.get_headers':
      return request.headers;
    case 'kong.request.get_raw_body':
      return request.body;
    case 'kong.nginx.get_var':
      if (name === 'ping_auth_request') return request.variable;
      return name === 'kong_request_id' ? FIELDS.id : undefined;
    case 'kong.response.get_status':
      return 200;
    case 'kong.response.get_headers':
      return request.response.headers;
    case 'kong.service.response.get_raw_body':
      return request.response.body;
    default:
      return undefined;
  }
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

/** Text as APIs send it: JSON with quotes, some of it not ASCII. */
function jsonText(bytes: number): Uint8Array {
  const item = '{"id":4711,"name":"Ada Lovelace","note":"said \\"hello\\" in Zürich","tags":["a","b"]},';
  const text = Buffer.alloc(bytes, item);
  // No character may be cut at the end.
  return text.fill(' ', text.lastIndexOf(',') + 1);
}
