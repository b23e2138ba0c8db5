import { PingAuthError } from '../errors/ping-auth-error.js';
import type { HeaderList } from '../exchange/header-list.js';
import type { OmissionReason } from '../exchange/http-message.js';
import type { ReadLimits, RequestReading } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { bytes } from './pdk-values.js';
import type { RequestHead } from './request-head.js';
import type { RequestHeadReader } from './request-head-reader.js';

/**
 * Reads the client's request: its head in one round trip, and a second one only for a body.
 *
 * @throws PingAuthError `request_body_too_large` when the body is over the limit and the admin wants that refused
 */
export async function readRequest(
  kong: KongPdk,
  reader: RequestHeadReader,
  limits: ReadLimits,
): Promise<RequestReading> {
  const { requestId, ...head } = await reader.read(kong);
  const body = await readBody(kong, head, limits);
  return { request: { ...head, body: body.bytes }, unreadBody: body.unread, requestId };
}

interface BodyReading {
  readonly bytes: Uint8Array;
  readonly unread: OmissionReason | undefined;
}

const NO_BODY: BodyReading = { bytes: new Uint8Array(0), unread: undefined };

async function readBody(
  kong: KongPdk,
  head: Pick<RequestHead, 'headers' | 'httpVersion'>,
  limits: ReadLimits,
): Promise<BodyReading> {
  if (!mayHaveBody(head.headers, head.httpVersion)) return NO_BODY;
  if (!limits.readBody) return { ...NO_BODY, unread: 'disabled' };
  if (Number(head.headers.get('content-length') ?? 0) > limits.maxBodyBytes) return overLimit(limits);
  try {
    // The stock host answers a body over the limit with an error that its plugin never sees, so it gets no limit (0).
    const raw = await kong.request.getRawBody(limits.hostLimitsBody ? limits.maxBodyBytes : 0);
    const read = bytes(raw, 'kong.request.get_raw_body');
    checkLength(read, head.headers.get('content-length'));
    return read.byteLength > limits.maxBodyBytes ? overLimit(limits) : { bytes: read, unread: undefined };
  } catch (thrown) {
    if (isBodyTooLarge(thrown)) return overLimit(limits);
    throw thrown;
  }
}

/** Should Kong ever hand over less of a body than it sends on, the policy must not take that for the whole. */
function checkLength(read: Uint8Array, announced: string | undefined): void {
  if (announced === undefined || read.byteLength === Number(announced)) return;
  const detail = `Kong gave ${read.byteLength} bytes of a body of ${Number(announced)}`;
  throw new PingAuthError('internal_error', { detail });
}

/** HTTP/2 needs neither Content-Length nor Transfer-Encoding to have a body. */
function mayHaveBody(headers: HeaderList, version: string): boolean {
  if (headers.has('transfer-encoding')) return true;
  const length = headers.get('content-length');
  return length === undefined ? Number(version) >= 2 : length !== '0';
}

function overLimit(limits: ReadLimits): BodyReading {
  if (limits.overLimit === 'omit') return { ...NO_BODY, unread: 'too_large' };
  throw new PingAuthError('request_body_too_large', { detail: `more than ${limits.maxBodyBytes} bytes` });
}

function isBodyTooLarge(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_BODY_TOO_LARGE';
}
