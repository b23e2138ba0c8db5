import { HEADERS_SEEN_AT_MOST } from '../exchange/admission.js';
import type { ResponseReading } from './gateway.js';
import type { KongPdk } from './kong-pdk.js';
import { bytes, headerList, optionalString, requiredInteger } from './pdk-values.js';

/** Key in `kong.ctx.shared`: what the access phase keeps, and the guard's proof that it ran. */
export const MEMO_KEY = 'ping_auth';

/**
 * Reads the upstream's response and the memo: four calls, one round trip. `kong.service.response.get_headers` is empty in
 * Kong's buffered mode, hence `kong.response`.
 */
export async function readResponse(kong: KongPdk): Promise<ResponseReading> {
  const [status, headers, body, memo] = await Promise.all([
    kong.response.getStatus(),
    kong.response.getHeaders(HEADERS_SEEN_AT_MOST),
    kong.service.response.getRawBody(),
    kong.ctx.shared.get(MEMO_KEY),
  ]);
  return {
    response: {
      status: requiredInteger(status, 'kong.response.get_status'),
      headers: headerList(headers, 'kong.response.get_headers'),
      body: bytes(body, 'kong.service.response.get_raw_body'),
    },
    memo: optionalString(memo, 'kong.ctx.shared.get'),
  };
}
