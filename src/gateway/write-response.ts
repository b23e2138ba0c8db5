import type { ResponseChanges } from '../directives/decision.js';
import { HEADERS_SEEN_AT_MOST } from '../exchange/admission.js';
import type { HeaderList } from '../exchange/header-list.js';
import type { HttpResponse, ResponseToSend } from '../exchange/http-message.js';
import type { KongPdk } from './kong-pdk.js';
import { headerList } from './pdk-values.js';

/** Kong and nginx own these: an exit sets them anew, and clearing them changes the framing. */
const KEPT_BY_KONG = new Set(['connection', 'content-length', 'date', 'transfer-encoding']);
/** Key in `kong.ctx.shared` by which the guard knows that the response phase ended well; only the stock host needs it. */
const RESPONSE_MARK_KEY = 'ping_auth_response';

const NO_BYTES = new Uint8Array(0);

/** `kong.response.exit`. An explicit body, since over MsgPack an exit without one loses its headers. */
export function exit(kong: KongPdk, response: ResponseToSend): Promise<unknown> {
  const body = isBodiless(response.status) ? NO_BYTES : response.body;
  return kong.response.exit(response.status, body, headerRecord(response.headers.toMap()));
}

/**
 * Rewrites the upstream's response. Headers and status are set where they stand; only a new body needs an exit. The mark
 * for the guard is the last call, so that a host which dies before it leaves none; an exit needs no mark, since the guard
 * sees that the answer is not the upstream's.
 */
export async function filterResponse(
  kong: KongPdk,
  original: HttpResponse,
  changes: ResponseChanges,
  leavesMark: boolean,
): Promise<void> {
  const { status, headers, body } = changes;
  const calls: Promise<unknown>[] = headers.remove.map((name) => kong.response.clearHeader(name));
  const newStatus = status ?? original.status;
  // Kong waits for ever when a bodiless upstream answer gets a status with a body (recorded: 204 → 200), so that is an exit.
  const statusNeedsExit = status !== undefined && (isBodiless(status) || isBodiless(original.status));
  if (body !== undefined || statusNeedsExit) {
    const bytes = isBodiless(newStatus) ? NO_BYTES : (body ?? original.body);
    calls.push(kong.response.exit(newStatus, bytes, headerRecord(headers.set)));
  } else {
    if (status !== undefined) calls.push(kong.response.setStatus(status));
    if (headers.set.size > 0) calls.push(kong.response.setHeaders(headerRecord(headers.set)));
    if (leavesMark) calls.push(kong.ctx.shared.set(RESPONSE_MARK_KEY, '1'));
  }
  await Promise.all(calls);
}

/**
 * Takes every upstream header off and exits. An exit by itself keeps all upstream headers that it does not name, cookies
 * included, so they are cleared first; as long as Kong shows a full list there may be more behind it.
 *
 * @throws Error when the headers do not come to an end; the caller must then let the event fail, not pass
 */
export async function withholdResponse(kong: KongPdk, response: ResponseToSend): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const seen: HeaderList = headerList(
      await kong.response.getHeaders(HEADERS_SEEN_AT_MOST),
      'kong.response.get_headers',
    );
    const names = seen.names().filter((name) => !KEPT_BY_KONG.has(name));
    const cleared = names.map((name) => kong.response.clearHeader(name));
    if (seen.size < HEADERS_SEEN_AT_MOST) {
      await Promise.all([...cleared, exit(kong, response)]);
      return;
    }
    await Promise.all(cleared);
  }
  throw new Error('the upstream headers could not be cleared');
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/** A single value as a string: it is what Kong itself would hold, and the shorter message. */
export function headerRecord(
  headers: ReadonlyMap<string, readonly string[]>,
): Record<string, string | readonly string[]> {
  const record: Record<string, string | readonly string[]> = Object.create(null);
  for (const [name, values] of headers)
    record[name] = values.length === 1 && values[0] !== undefined ? values[0] : values;
  return record;
}
