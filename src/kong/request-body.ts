import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from '../http/header-list.js';
import { codeOf } from './call-errors.js';
import type { ReadLimits, RequestOwner } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { bytes } from './pdk-values.js';

/** The stock host answers a body over the limit with an error that its plugin never sees, so it gets no limit. */
const NO_LIMIT = 0;
/** Of a body whose length nobody has told, so much is read before memory is set aside for it. */
const LITTLE_BYTES = 65_536;

/**
 * Reads the request's body. Memory for it is set aside before it is read.
 *
 * @returns undefined: over the limit, and the admin wants such a body omitted
 * @throws PingAuthError `request_body_too_large`, `server_overloaded`, `internal_error`, and what the host throws
 */
export async function readRequestBody(
  kong: KongPdk,
  headers: HeaderList,
  limits: ReadLimits,
  owner: RequestOwner,
): Promise<Uint8Array | undefined> {
  const announced = headers.get('content-length');
  try {
    const read =
      announced === undefined
        ? await readUnannounced(kong, limits, owner)
        : await readAnnounced(kong, announced, limits, owner);
    return read === undefined || read.byteLength > limits.maxBodyBytes ? overLimit(limits) : read;
  } catch (thrown) {
    if (codeOf(thrown) === 'ERR_BODY_TOO_LARGE') return overLimit(limits);
    throw thrown;
  }
}

/** undefined: by its length over the limit. */
async function readAnnounced(
  kong: KongPdk,
  announced: string,
  { hostLimitsBody, maxBodyBytes }: ReadLimits,
  owner: RequestOwner,
): Promise<Uint8Array | undefined> {
  const length = Number(announced);
  if (length > maxBodyBytes) return undefined;
  owner.hold(length);
  const read = await rawBody(kong, hostLimitsBody ? maxBodyBytes : NO_LIMIT);
  checkLength(read, length);
  return read;
}

/** Chunked, or over HTTP/2: a large one is asked for twice, since only the first answer tells how much memory it wants. */
async function readUnannounced(
  kong: KongPdk,
  { hostLimitsBody, maxBodyBytes }: ReadLimits,
  owner: RequestOwner,
): Promise<Uint8Array> {
  owner.hold(0);
  let size: number;
  try {
    const read = await rawBody(kong, hostLimitsBody ? Math.min(LITTLE_BYTES, maxBodyBytes) : NO_LIMIT);
    owner.hold(read.byteLength);
    return read;
  } catch (thrown) {
    size = thrown instanceof Error && 'bytes' in thrown ? Number(thrown.bytes) : Number.NaN;
    if (codeOf(thrown) !== 'ERR_BODY_TOO_LARGE' || !(size <= maxBodyBytes)) throw thrown;
  }
  owner.hold(size);
  const read = await rawBody(kong, size);
  checkLength(read, size);
  return read;
}

async function rawBody(kong: KongPdk, maxBytes: number): Promise<Uint8Array> {
  return bytes(await kong.request.getRawBody(maxBytes), 'kong.request.get_raw_body');
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
