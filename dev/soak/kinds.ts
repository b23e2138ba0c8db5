import type { PdkValue } from '../kong/pdk/pdk-value.js';

/** What becomes of a request in the soak. */
export const KINDS = ['allowed', 'denied', 'filtered'] as const;
export type Kind = (typeof KINDS)[number];

const HEADERS = {
  host: 'api.example.com',
  accept: 'application/json',
  authorization: `Bearer ${'eyJhbGciOiJSUzI1NiJ9'.repeat(10)}`,
  cookie: 'session=3f2a8c1e9b; theme=dark',
  'user-agent': 'soak',
  'x-two': ['a', 'b'],
};

/** Kong's answer to a PDK call; `memo` is what the access phase kept. */
export function kongSays(kind: Kind, method: string, name: PdkValue, memo: PdkValue): PdkValue {
  switch (method) {
    case 'kong.client.get_forwarded_ip':
      return '192.0.2.7';
    case 'kong.client.get_port':
      return 40368;
    case 'kong.request.get_method':
      return 'GET';
    case 'kong.request.get_forwarded_scheme':
      return 'http';
    case 'kong.request.get_forwarded_host':
      return 'api.example.com';
    case 'kong.request.get_forwarded_port':
      return 8000;
    case 'kong.request.get_path':
      return `/${kind}`;
    case 'kong.request.get_raw_query':
      return 'page=2';
    case 'kong.request.get_http_version':
      return 1.1;
    case 'kong.request.get_headers':
      return HEADERS;
    case 'kong.nginx.get_var':
      return name === 'kong_request_id' ? 'f386ef04c49c864b7cbe977b439cdb0e' : undefined;
    case 'kong.response.get_status':
      return 200;
    case 'kong.response.get_headers':
      return { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] };
    case 'kong.service.response.get_raw_body':
      return Buffer.from('hello');
    case 'kong.ctx.shared.get':
      return memo;
    default:
      return undefined;
  }
}
