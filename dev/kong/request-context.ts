import { randomBytes } from 'node:crypto';
import type { Route } from './config/declarative-config.js';
import { type HeaderLine, HeaderLines } from './http/message-head.js';
import type { RequestBody } from './http/request-body.js';
import { nginxHost } from './http/uri.js';
import type { PdkValue } from './pdk/lua-values.js';

/** The upstream's answer, its body not read yet. */
export interface UpstreamResponse {
  readonly status: number;
  /** What stood behind the protocol version: `200 OK`; undefined for an answer without a head (HTTP/0.9). */
  readonly statusText: string | undefined;
  readonly headers: readonly HeaderLine[];
  /** Ends with BrokenBody or ReadTimeout when the upstream does not finish it. */
  readonly body: AsyncIterable<Buffer>;
}

export type Phase = 'access' | 'header_filter' | 'response';

export interface TlsInfo {
  readonly protocol: string;
  readonly cipher: string;
  readonly serverName: string | undefined;
  /** PEM of the client's certificate. */
  readonly clientCertificate: string | undefined;
  readonly clientSubject: string | undefined;
  readonly clientFingerprint: string | undefined;
  readonly verify: string;
}

/** The client's connection. */
export interface ConnectionInfo {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly tls: TlsInfo | undefined;
  /** Which nginx worker took it. */
  readonly worker: number;
  readonly number: number;
}

/** Kong's `lua_max_req_headers`. */
const ROUTER_HEADERS = 100;

export interface ReceivedRequest {
  readonly requestLine: string;
  readonly method: string;
  readonly protocol: string;
  /** Undefined for one that lua-nginx-module has no number for: HTTP/1.2. */
  readonly httpVersion: 0.9 | 1 | 1.1 | 2 | undefined;
  readonly requestUri: string;
  readonly rawPath: string;
  /** Of an absolute request target: `a.example:80` of `http://a.example:80/x`. */
  readonly authority?: string | undefined;
  readonly args: string | undefined;
  readonly uri: string;
  readonly headers: HeaderLines;
  readonly body: RequestBody;
  readonly connection: ConnectionInfo;
  readonly keepAlive: boolean;
  readonly upgrade: string | undefined;
}

/** What the access phase made of the upstream request. */
export interface UpstreamTarget {
  path: string;
  args: string | undefined;
  /** Value of the Host header; empty: host and port of the service. */
  hostHeader: string;
  scheme: 'http' | 'https';
  host: string;
  port: number;
  /** Set by `set_target`: the Host header is then the plain host. */
  retargeted: boolean;
}

/** The response headers as plugins see and change them. */
export interface ResponseState {
  status: number;
  readonly headers: HeaderLines;
  /** A Date that was there and was cleared; otherwise nginx writes one. */
  dateCleared: boolean;
}

/** All that Kong knows of one request. Strings hold one character per byte. */
export class RequestContext {
  readonly id = randomBytes(16).toString('hex');
  readonly nginxId = randomBytes(16).toString('hex');
  readonly startedAt = Date.now();
  readonly shared = new Map<string, PdkValue>();
  /** nginx's header list; what the upstream gets starts from it. */
  readonly headers: HeaderLines;
  readonly response: ResponseState = { status: 0, headers: new HeaderLines(), dateCleared: false };
  method: string;
  phase: Phase = 'access';
  route: Route | undefined;
  upstream: UpstreamTarget | undefined;
  upstreamResponse: UpstreamResponse | undefined;
  /** The whole upstream body, in buffered mode. */
  bufferedBody: Buffer | undefined;
  /** Where the response comes from, as `kong.response.get_source` tells. */
  source: 'exit' | 'error' | 'service' = 'service';
  /** Run when the client has its answer. */
  readonly afterwards: (() => void)[] = [];

  constructor(
    readonly received: ReceivedRequest,
    readonly trusted: (address: string) => boolean,
    readonly variables: ReadonlyMap<string, string>,
    readonly serverName: string,
  ) {
    this.headers = new HeaderLines(received.headers.lines);
    this.method = received.method;
  }

  get connection(): ConnectionInfo {
    return this.received.connection;
  }

  get scheme(): 'http' | 'https' {
    return this.connection.tls === undefined ? 'http' : 'https';
  }

  /** nginx's `$host`: of an absolute request target, otherwise of the Host header. */
  get host(): string {
    const authority = this.received.authority ?? this.headers.get('host');
    return authority === undefined || authority === '' ? this.serverName : nginxHost(authority);
  }

  /** What Kong's router compares: the raw header, if it is among the first 100. */
  get routedHost(): string | undefined {
    return new HeaderLines(this.headers.lines.slice(0, ROUTER_HEADERS)).get('host');
  }

  /** The connection's peer is a trusted proxy. */
  get fromTrusted(): boolean {
    return this.trusted(this.connection.remoteAddress);
  }

  /** The client as a trusted proxy names it, otherwise the peer. nginx's real_ip module with X-Real-IP. */
  get realIp(): { readonly address: string; readonly port: string } {
    const named = this.received.headers.get('x-real-ip');
    return this.fromTrusted && named !== undefined
      ? { address: named, port: '' }
      : { address: this.connection.remoteAddress, port: String(this.connection.remotePort) };
  }

  /** Bytes of body that the headers announce now; undefined when none are. */
  get contentLength(): number | undefined {
    const text = this.headers.get('content-length');
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  }
}
