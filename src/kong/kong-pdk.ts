/**
 * The part of kong-pdk's `kong` object that ping-auth calls. kong-pdk's own `.d.ts` say other things than what Kong really
 * returns, and the two hosts differ in details, so results are `unknown` here and are read by pdk-values.ts.
 */
export interface KongPdk {
  readonly client: {
    /** Client address; behind a trusted proxy the one that the proxy names. */
    getForwardedIp(): Promise<unknown>;
    /** Port of the connection itself, also behind a trusted proxy (`$remote_port` is empty there). */
    getPort(): Promise<unknown>;
  };
  readonly request: {
    getMethod(): Promise<unknown>;
    /** nginx's `$host`: of the request target, if that names one, otherwise of the Host header. */
    getHost(): Promise<unknown>;
    getForwardedScheme(): Promise<unknown>;
    getForwardedHost(): Promise<unknown>;
    getForwardedPort(): Promise<unknown>;
    /** Percent-decoded and normalised. */
    getPath(): Promise<unknown>;
    getRawQuery(): Promise<unknown>;
    getHttpVersion(): Promise<unknown>;
    getHeaders(max: number): Promise<unknown>;
    getRawBody(maxBytes: number): Promise<unknown>;
  };
  readonly nginx: { getVar(name: string): Promise<unknown> };
  readonly ctx: {
    readonly shared: {
      get(key: string): Promise<unknown>;
      set(key: string, value: string): Promise<unknown>;
    };
  };
  readonly service: {
    readonly request: {
      setMethod(method: string): Promise<unknown>;
      setPath(path: string): Promise<unknown>;
      setRawQuery(query: string): Promise<unknown>;
      /** An empty list takes the header away. */
      setHeaders(headers: Readonly<Record<string, string | readonly string[]>>): Promise<unknown>;
      /** Sets Content-Length itself. */
      setRawBody(body: Uint8Array): Promise<unknown>;
    };
    readonly response: { getRawBody(): Promise<unknown> };
  };
  readonly response: {
    getStatus(): Promise<unknown>;
    getHeaders(max: number): Promise<unknown>;
    setStatus(status: number): Promise<unknown>;
    setHeaders(headers: Readonly<Record<string, string | readonly string[]>>): Promise<unknown>;
    clearHeader(name: string): Promise<unknown>;
    /** Never comes back: Kong ends the request. */
    exit(
      status: number,
      body: Uint8Array,
      headers: Readonly<Record<string, string | readonly string[]>>,
    ): Promise<unknown>;
  };
  readonly log: {
    setSerializeValue(key: string, value: Readonly<Record<string, string | number>>): Promise<unknown>;
    warn(text: string): Promise<unknown>;
    err(text: string): Promise<unknown>;
  };
}
