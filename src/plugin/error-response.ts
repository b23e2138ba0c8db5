import type { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import type { ResponseToSend } from '../http/message.js';

/** What a client may read as `code`: one word for each status, so that it learns nothing about the inside. */
const CLIENT_CODES: Readonly<Record<number, string>> = {
  400: 'BAD_REQUEST',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'LIMIT_EXCEEDED',
  431: 'REQUEST_HEADERS_TOO_LARGE',
  500: 'INTERNAL_ERROR',
  501: 'NOT_IMPLEMENTED',
  502: 'BAD_GATEWAY',
  503: 'SERVICE_UNAVAILABLE',
  504: 'GATEWAY_TIMEOUT',
};

/** The developer of a client can look its own mistake up; what is wrong inside the gateway is not the client's to know. */
const isCausedByClient = (error: PingAuthError): boolean => error.entry.level === 'info';

/**
 * The error response of ping-auth: `{"code","message","reason","request_id"}`, and `Retry-After` where a retry makes sense. `reason` is the code of docs/errors.md, only if the client caused the error.
 *
 * @param errorStatus the admin's `error_status`, in place of 502; undefined when there is no configuration to ask
 */
export function errorResponse(
  error: PingAuthError,
  errorStatus: number | undefined,
  requestId: string | undefined,
): ResponseToSend {
  const status = errorResponseStatus(error, errorStatus);
  const headers: HeaderField[] = [
    ['content-type', 'application/json; charset=utf-8'],
    ['cache-control', 'no-store'],
  ];
  if (error.retryAfterSeconds !== undefined) headers.push(['retry-after', String(error.retryAfterSeconds)]);
  const json =
    error.clientJson ??
    JSON.stringify({
      code: clientCode(status),
      message: error.entry.message,
      ...(isCausedByClient(error) ? { reason: error.code } : {}),
      ...(requestId === undefined ? {} : { request_id: requestId }),
    });
  return { status, headers: HeaderList.from(headers), body: new TextEncoder().encode(json) };
}

/** The status of the answer; `errorStatus` as for {@link errorResponse}. */
export function errorResponseStatus(error: PingAuthError, errorStatus: number | undefined): number {
  return error.status === 502 ? (errorStatus ?? 502) : error.status;
}

/** The word for a status that the client gets as `code`; docs/errors.md lists them. */
export function clientCode(status: number): string {
  return CLIENT_CODES[status] ?? 'REFUSED';
}
