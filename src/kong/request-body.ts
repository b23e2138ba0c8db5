import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from '../http/headers.js';
import type { MemoryReservation } from '../http/memory-reservation.js';
import { codeOf } from './call-errors.js';
import type { ReadLimits } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { bytes } from './pdk-values.js';

/** The stock host answers a body over the limit with an error that its plugin never sees, so it gets no limit. */
const NO_LIMIT = 0;
/**
 * Reads the request's body. Kong hands it over when it is complete; then memory is reserved for it. A length that a client announces
 * costs nothing, so it does not count. (While our own host gathers a large body, it reserves the memory itself.)
 *
 * @returns undefined: over the limit, and the admin wants such a body omitted
 * @throws PingAuthError `request_body_too_large`, `server_overloaded`, `internal_error`, and what the host throws
 */
export async function readRequestBody(
  kong: KongPdk,
  headers: HeaderList,
  limits: ReadLimits,
  memory: MemoryReservation,
): Promise<Uint8Array | undefined> {
  const { hostLimitsBody, maxBodyBytes } = limits;
  const announced = headers.get('content-length');
  if (Number(announced) > maxBodyBytes) return overLimit(limits);
  let body: Uint8Array;
  try {
    const read = await kong.request.getRawBody(hostLimitsBody ? maxBodyBytes : NO_LIMIT);
    body = bytes(read, 'kong.request.get_raw_body');
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_BODY_TOO_LARGE') return overLimit(limits);
    throw thrown;
  }
  memory.grow(body.byteLength);
  if (announced !== undefined && Number(announced) !== body.byteLength) {
    // Should Kong ever hand over less of a body than it sends on, the policy must not take that for the whole.
    const detail = `Kong gave ${body.byteLength} bytes of a body of ${announced}`;
    throw new PingAuthError('internal_error', { detail });
  }
  return body.byteLength > maxBodyBytes ? overLimit(limits) : body;
}

function overLimit(limits: ReadLimits): undefined {
  if (limits.overLimit === 'omit') return undefined;
  throw new PingAuthError('request_body_too_large', { detail: `more than ${limits.maxBodyBytes} bytes` });
}
