import { asPingAuthError, PingAuthError } from '../errors/ping-auth-error.js';

/** When a client may try again that was refused for want of memory: messages are in progress for milliseconds to seconds. */
const RETRY_SECONDS = 1;

/** The `code` by which the host tells why a call did not work. */
export function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
}

/** Whatever was thrown as an error of the catalogue. The host's errors have codes of their own. */
export function toPingAuthError(thrown: unknown): PingAuthError {
  const detail = thrown instanceof Error ? thrown.message : String(thrown);
  switch (codeOf(thrown)) {
    case 'ERR_BODY_PATH':
    case 'ERR_BODY_FILE':
      return new PingAuthError('request_body_unavailable', { detail, cause: thrown });
    case 'ERR_TOO_MANY_UPLOADS':
      return new PingAuthError('server_overloaded', {
        detail,
        retryAfterSeconds: RETRY_SECONDS,
        cause: thrown,
      });
    case 'ERR_NO_MEMORY':
      return overloaded(`${detail}, too much`, thrown);
    case 'ERR_EVENT_OVER':
      return new PingAuthError('client_gone', { detail, cause: thrown });
    default:
      return asPingAuthError(thrown);
  }
}

/** @param detail for the log: what would be too much */
export function overloaded(detail: string, cause?: unknown): PingAuthError {
  return new PingAuthError('server_overloaded', {
    detail: `${detail} for --max-inflight-bytes`,
    retryAfterSeconds: RETRY_SECONDS,
    cause,
  });
}
