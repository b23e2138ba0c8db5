import type { HttpRequest } from '../exchange/http-message.js';

/** The client's request without its body. */
export interface RequestHead extends Omit<HttpRequest, 'body'> {
  /** Kong's request id; undefined before Kong 3.5. */
  readonly requestId: string | undefined;
}
