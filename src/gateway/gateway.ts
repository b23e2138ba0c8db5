import type { RequestChanges, ResponseChanges } from '../directives/decision.js';
import type { HttpRequest, HttpResponse, ResponseToSend } from '../exchange/http-message.js';

/** Everything the plugin needs from Kong, and nothing more. One object for one phase of one request. */
export interface Gateway {
  /** Reads the client's request. @throws PingAuthError when it must be refused before any policy call. */
  readRequest(limits: ReadLimits): Promise<RequestReading>;
  /** Lets the request go on to the upstream, changed as told; keeps `memo` for the response phase. One round trip. */
  permit(changes: RequestChanges, memo: string): Promise<void>;
  /** Ends the request: the client gets this answer, nothing follows. In the response phase the upstream's headers are cleared first. */
  refuse(response: ResponseToSend): Promise<void>;
  /** Reads the upstream's response and the memo of the access phase. One round trip. */
  readResponse(): Promise<ResponseReading>;
  /** Rewrites the upstream's response as told; nothing is called when nothing changed. */
  filter(original: HttpResponse, changes: ResponseChanges): Promise<void>;
}

export interface ReadLimits {
  readonly maxBodyBytes: number;
}

export interface RequestReading {
  readonly request: HttpRequest;
  readonly requestId: string | undefined;
}

export interface ResponseReading {
  readonly response: HttpResponse;
  /** What `permit` kept; undefined when the access phase left nothing. */
  readonly memo: string | undefined;
}
