import type { HeaderList } from '../exchange/header-list.js';
import { MARK_HEADER } from '../exchange/header-rules.js';
import type { HeaderChanges, RequestChanges, ResponseChanges } from './decision.js';
import { requestHeaderChanges } from './request-headers.js';

const NO_HEADER_CHANGES: HeaderChanges = { set: new Map(), remove: [] };

/** For monitor mode, which changes nothing. */
export const NO_REQUEST_CHANGES: RequestChanges = {
  method: undefined,
  path: undefined,
  query: undefined,
  host: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

export const NO_RESPONSE_CHANGES: ResponseChanges = {
  status: undefined,
  headers: NO_HEADER_CHANGES,
  body: undefined,
};

/** For a request that goes on without a decision: marked for the upstream, a client's own mark overwritten. */
export function failOpenChanges(headers: HeaderList): RequestChanges {
  const { changes } = requestHeaderChanges(headers, headers, [...headers]);
  return {
    ...NO_REQUEST_CHANGES,
    headers: {
      set: new Map([[MARK_HEADER, ['fail-open']]]),
      remove: changes.remove.filter((name) => name !== MARK_HEADER),
    },
  };
}
