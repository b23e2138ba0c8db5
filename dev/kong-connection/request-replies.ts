import type { PdkValue } from '../kong/pdk/lua-values.js';
import { requestVariable } from './request-variable.js';

/** Values of headers by their names in lower case, as `get_headers` has them. */
export type PdkHeaders = Readonly<Record<string, string | string[]>>;

/** What a request is, as far as Kong's replies tell of it. */
export interface RequestFacts {
  readonly ip: string;
  readonly port: number;
  readonly method: string;
  readonly scheme: string;
  readonly host: string;
  /** Of Kong's listener. */
  readonly listener: number;
  readonly path: string;
  readonly query: string;
  readonly id: string;
  readonly headers: PdkHeaders;
}

export const PLAIN_GET: RequestFacts = {
  ip: '192.0.2.7',
  port: 40368,
  method: 'GET',
  scheme: 'http',
  host: 'api.example',
  listener: 8000,
  path: '/things',
  query: 'x=1',
  id: 'f386ef04c49c864b7cbe977b439cdb0e',
  headers: { host: 'api.example:8000', accept: '*/*', 'x-two': ['a', 'b'] },
};

/** By method, or by `method(first argument)`. What is not in it is nil. */
export type Replies = Readonly<Record<string, PdkValue>>;

/** Kong's replies to the reads of the access phase, the body left out, of a Kong without kong/nginx/ping-auth-http.conf. */
export function requestReplies(facts: RequestFacts) {
  return {
    'kong.client.get_forwarded_ip': facts.ip,
    'kong.client.get_port': facts.port,
    'kong.request.get_method': facts.method,
    'kong.request.get_host': facts.host,
    'kong.request.get_forwarded_scheme': facts.scheme,
    'kong.request.get_forwarded_host': facts.host,
    'kong.request.get_forwarded_port': facts.listener,
    'kong.request.get_path': facts.path,
    'kong.request.get_raw_query': facts.query,
    'kong.request.get_http_version': 1.1,
    'kong.request.get_headers': facts.headers,
    'kong.nginx.get_var(ssl_client_raw_cert)': undefined,
    // What `$host` is for a request without a Host header.
    'kong.nginx.get_var(server_name)': facts.host,
    'kong.nginx.get_var(kong_request_id)': facts.id,
  };
}

/** nginx's variables for the same request. */
export function nginxVariables(facts: RequestFacts) {
  return {
    remote_addr: facts.ip,
    realip_remote_port: facts.port,
    request_method: facts.method,
    scheme: facts.scheme,
    host: facts.host,
    server_port: facts.listener,
    request_uri: `${facts.path}?${facts.query}`,
    args: facts.query,
    server_protocol: 'HTTP/1.1',
    kong_request_id: facts.id,
  };
}

/** The reply that kong/nginx/ping-auth-http.conf adds. */
export function variableReply(facts: RequestFacts): Replies {
  return { 'kong.nginx.get_var(ping_auth_request)': requestVariable(nginxVariables(facts)) };
}

/** Kong's replies to the reads of the response phase, but for what the access phase kept. */
export function responseReplies(status: number, headers: PdkHeaders, body: Buffer) {
  return {
    'kong.response.get_status': status,
    'kong.response.get_headers': headers,
    'kong.service.response.get_raw_body': body,
  };
}

/** The reply to a call with this first argument. */
export function replyTo(replies: Replies, method: string, argument: PdkValue): PdkValue {
  return replies[method] ?? (typeof argument === 'string' ? replies[`${method}(${argument})`] : undefined);
}
