import { choice, flag, textList, wholeNumber } from '../field.js';
import { HEADER_NAME } from '../formats.js';

const MIB = 1_048_576;
const MEDIA_TYPE = /^([a-z0-9!#$&^_.+-]+\/([a-z0-9!#$&^_.+-]+|\*|\*\+[a-z0-9]+)|\*\+[a-z0-9]+)$/i;

/** What of a request and a response leaves the gateway, and how much may come back. */
export const MESSAGE_FIELDS = {
  send_request_body: flag(
    'Whether ping-auth shows request bodies to the policy provider. A body that is not shown still reaches the upstream, unless the policy sets another.',
    { default: true },
  ),
  send_response_body: flag(
    'Whether ping-auth shows response bodies to the policy provider. A body that is not shown still reaches the client, unless the policy sets another.',
    { default: true },
  ),
  max_request_body_bytes: wholeNumber(
    'Largest request body, in bytes, that ping-auth shows to the policy provider.',
    { unit: 'bytes', min: 1, max: 100 * MIB, default: 8 * MIB },
  ),
  max_response_body_bytes: wholeNumber(
    'Largest response body, in bytes, that ping-auth shows to the policy provider.',
    { unit: 'bytes', min: 1, max: 100 * MIB, default: 8 * MIB },
  ),
  request_body_over_limit: choice(
    'What happens to a request whose body is over `max_request_body_bytes`.\n\n**reject**: the client gets 413, the policy is not asked.\n\n**omit**: the policy decides without seeing the body.',
    ['reject', 'omit'],
  ),
  response_body_over_limit: choice(
    'What happens to a response whose body is over `max_response_body_bytes`.\n\n**reject**: ping-auth withholds it, the client gets 502.\n\n**omit**: the policy decides without seeing the body.',
    ['reject', 'omit'],
  ),
  body_content_types: textList(
    'Media types of the bodies that ping-auth shows to the policy provider, such as `application/json`, `text/*` or `*+json`. What happens to other bodies is set by `opaque_bodies`.\n\nEmpty: every type.',
    {
      check: (value) =>
        MEDIA_TYPE.test(value)
          ? undefined
          : `${JSON.stringify(value.slice(0, 40))} is not a media type; write it like application/json, text/* or *+json`,
      match_all: [{ pattern: '^[%w*][^%s;,]*$', err: 'must be a media type without parameters' }],
      prepare: (value) => value.toLowerCase(),
    },
  ),
  opaque_bodies: choice(
    'What happens to a body that is not text, or not in `body_content_types`.\n\n**omit**: the policy decides without it.\n\n**reject**: the client gets 415 for a request, 502 for a response.\n\n**allow_unreadable**: as omit, also for text that ping-auth cannot decode (content encoding or charset). The other two refuse such text. A client can then hide a body from the policy.',
    ['omit', 'reject', 'allow_unreadable'],
  ),
  encoded_request_bodies: choice(
    'How ping-auth forwards a request body with Content-Encoding once the policy was shown its text.\n\n**decode**: decoded, so that the upstream reads what the policy read.\n\n**forward**: as the client sent it. An upstream that ignores Content-Encoding then reads something else. On MCP routes this means decode.\n\n**reject**: the client gets 415.\n\nA body that is not shown stays as it is.',
    ['decode', 'forward', 'reject'],
  ),
  excluded_request_headers: textList(
    'Names of request headers that ping-auth does not show to the policy provider. They reach the upstream as the client sent them.',
    HEADER_NAME,
  ),
  max_request_context_bytes: wholeNumber(
    'Largest request context in bytes. Kong keeps it between the phases of a request: the state that the policy returned, or without one everything that the policy was shown of the request.\n\nping-auth refuses a request with a larger one with 413.',
    { unit: 'bytes', min: 16_384, max: 64 * MIB, default: MIB },
  ),
  max_sideband_response_bytes: wholeNumber(
    'Largest answer of the policy provider in bytes; ping-auth refuses a larger one with 502.\n\nAn answer holds the whole message and the state, so allow for more than twice the largest body.',
    { unit: 'bytes', min: 1024, max: 256 * MIB, default: 32 * MIB },
  ),
} as const;

/** Requests that are refused unless an admin says otherwise. */
export const ADMISSION_FIELDS = {
  allow_http2: flag(
    'Whether ping-auth serves HTTP/2 clients.\n\nNeeds Kong 3.9 or later: older versions skip the response phase for HTTP/2, so responses would pass unfiltered.',
    { default: false },
  ),
  allow_upgrade: flag(
    'Whether a protocol upgrade such as WebSocket passes once the request is allowed.\n\nKong skips the response phase for a request that asks for a WebSocket: whatever the upstream answers, also a plain 200, goes out unfiltered.',
    { default: false },
  ),
} as const;
