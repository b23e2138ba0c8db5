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
 * So much of a body is read before memory is reserved for it. A larger one is asked for twice, since only the first answer tells
 * how large it is: a length that a client announces costs it nothing, so it does not count.
 */
const UNRESERVED_BYTES = 65_536;

/**
 * Reads the request's body. Kong hands it over when it is complete; then memory is reserved for it.
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
  try {
    const body = hostLimitsBody
      ? await readInTwoSteps(kong, maxBodyBytes, memory)
      : await rawBody(kong, NO_LIMIT, memory);
    if (announced !== undefined) checkLength(body, Number(announced));
    return body.byteLength > maxBodyBytes ? overLimit(limits) : body;
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_BODY_TOO_LARGE') return overLimit(limits);
    throw thrown;
  }
}

async function readInTwoSteps(
  kong: KongPdk,
  maxBodyBytes: number,
  memory: MemoryReservation,
): Promise<Uint8Array> {
  let size: number;
  try {
    return await rawBody(kong, Math.min(UNRESERVED_BYTES, maxBodyBytes), memory);
  } catch (thrown) {
    size = thrown instanceof Error && 'bytes' in thrown ? Number(thrown.bytes) : Number.NaN;
    if (codeOf(thrown) !== 'ERR_BODY_TOO_LARGE' || !(size <= maxBodyBytes)) throw thrown;
  }
  memory.grow(size);
  const body = await rawBody(kong, size);
  checkLength(body, size);
  return body;
}

async function rawBody(kong: KongPdk, maxBytes: number, memory?: MemoryReservation): Promise<Uint8Array> {
  const body = bytes(await kong.request.getRawBody(maxBytes), 'kong.request.get_raw_body');
  memory?.grow(body.byteLength);
  return body;
}

/** Should Kong ever hand over less of a body than it sends on, the policy must not take that for the whole. */
function checkLength(read: Uint8Array, length: number): void {
  if (read.byteLength === length) return;
  const detail = `Kong gave ${read.byteLength} bytes of a body of ${length}`;
  throw new PingAuthError('internal_error', { detail });
}

function overLimit(limits: ReadLimits): undefined {
  if (limits.overLimit === 'omit') return undefined;
  throw new PingAuthError('request_body_too_large', { detail: `more than ${limits.maxBodyBytes} bytes` });
}
