/** kong-pdk's PDK class: turns `kong.request.getMethod()` into a put and a get on the pipe. Its own types do not cover it. */
declare module 'kong-pdk/pdk.js' {
  export interface RpcPipe {
    put(call: { readonly Method: string; readonly Args: readonly unknown[] }): void;
    /** [result, error] of the oldest call that has none yet. */
    get(): Promise<readonly [unknown, unknown?]>;
  }
  export default class Kong {
    constructor(pipe: RpcPipe);
    /** What a call rejects with when Kong reports an error. */
    static readonly Error: new (
      message: string,
    ) => Error;
    readonly kong: unknown;
  }
}
