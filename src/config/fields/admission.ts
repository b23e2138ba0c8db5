import { flag } from '../field.js';

/** Requests that are refused unless an admin says otherwise. */
export const ADMISSION_FIELDS = {
  allow_http2: flag({
    description:
      'Whether HTTP/2 clients are served. Needs Kong 3.9 or later: older versions skip the response phase for them, and responses would pass unfiltered.',
    default: false,
  }),
  allow_upgrade: flag({
    description:
      'Whether protocol upgrades such as WebSocket are let through once the request is permitted. Kong skips the response phase for them: what follows is not filtered.',
    default: false,
  }),
} as const;
