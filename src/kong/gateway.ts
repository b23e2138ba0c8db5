import type { RequestChanges, ResponseChanges } from '../directives/decision.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import type { HttpRequest, HttpResponse, OmissionReason, ResponseToSend } from '../http/message.js';

/** Everything the plugin needs from Kong, and nothing more. One object for one phase of one request. */
export interface Gateway {
  /** Reads the client's request. @throws PingAuthError when it must be refused before any policy call. */
  readRequest(limits: ReadLimits, owner: RequestOwner): Promise<RequestReading>;
  /** Forwards the request to the upstream, changed as told; keeps `requestContext` for the response phase. One round trip. */
  permit(changes: RequestChanges, requestContext: string, log?: LogValues): Promise<void>;
  /** Ends the request in the access phase: the client gets this answer, nothing follows. */
  refuse(response: ResponseToSend, log?: LogValues): Promise<void>;
  /** Reads the upstream's response and the request context. One round trip. */
  readResponse(): Promise<ResponseReading>;
  /** Rewrites the upstream's response as told; nothing is called when nothing changed. */
  filter(original: HttpResponse, changes: ResponseChanges, log?: LogValues): Promise<void>;
  /** Ends the request in the response phase: none of the upstream's headers, and nothing of its body, goes out. */
  withhold(response: ResponseToSend, log?: LogValues): Promise<void>;
}

/** For Kong's own log plugins (file-log, http-log …): stands under `key` in what they write. */
export interface LogValues {
  /** Dots nest: `ping_auth.response`. */
  readonly key: string;
  readonly values: Readonly<Record<string, string | number>>;
  /** For Kong's own log, where an admin looks first; only for what an admin has to know. */
  readonly line?: { readonly level: 'warn' | 'err'; readonly text: string } | undefined;
}

/** For whom a request is read. */
export interface RequestOwner {
  /** Told Kong's request id as soon as it is known: whatever else of the request is refused, the log shall name it. */
  identified(requestId: string | undefined): void;
  readonly memory: MemoryReservation;
}

export interface ReadLimits {
  /** Whether the body is wanted at all (`send_request_body`). */
  readonly readBody: boolean;
  readonly maxBodyBytes: number;
  readonly overLimit: 'reject' | 'omit';
  /** True on a host that reads a body only up to the number it is given (our plugin server). */
  readonly hostLimitsBody: boolean;
}

export interface RequestReading {
  /** `body` is empty when `unreadBody` is set. */
  readonly request: HttpRequest;
  /** Why the body was not read although there is one; it travels on untouched. */
  readonly unreadBody: OmissionReason | undefined;
}

export interface ResponseReading {
  readonly response: HttpResponse;
  /** What `permit` kept; undefined when the access phase left nothing. */
  readonly requestContext: string | undefined;
}
