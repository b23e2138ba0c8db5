import { choice, flag, textList, wholeNumber } from '../field.js';
import { isToken, TOKEN_LUA_PATTERN } from '../formats.js';

const MIB = 1_048_576;
const MEDIA_TYPE = /^([a-z0-9!#$&^_.+-]+\/([a-z0-9!#$&^_.+-]+|\*|\*\+[a-z0-9]+)|\*\+[a-z0-9]+)$/i;

/** What of a request and a response leaves the gateway, and how much may come back. */
export const MESSAGE_FIELDS = {
  send_request_body: flag({
    description:
      'Whether request bodies are shown to the policy provider. A body that is not shown still reaches the upstream, unless the policy sets another.',
    default: true,
  }),
  send_response_body: flag({
    description:
      'Whether response bodies are shown to the policy provider. A body that is not shown still reaches the client, unless the policy sets another.',
    default: true,
  }),
  max_request_body_bytes: wholeNumber({
    description: 'Largest request body in bytes that is shown to the policy provider.',
    min: 1,
    max: 100 * MIB,
    default: 8 * MIB,
  }),
  max_response_body_bytes: wholeNumber({
    description: 'Largest response body in bytes that is shown to the policy provider.',
    min: 1,
    max: 100 * MIB,
    default: 8 * MIB,
  }),
  request_body_over_limit: choice({
    description:
      'What happens to a request whose body is over max_request_body_bytes. reject: status 413, nobody is asked. omit: the policy decides without seeing the body.',
    values: ['reject', 'omit'],
    default: 'reject',
  }),
  response_body_over_limit: choice({
    description:
      'What happens to a response whose body is over max_response_body_bytes. reject: it is withheld, status 502. omit: the policy decides without seeing the body.',
    values: ['reject', 'omit'],
    default: 'reject',
  }),
  body_content_types: textList({
    description:
      'Media types of bodies that are shown to the policy provider, for example application/json, text/* or *+json. Empty: every type. Other bodies are handled as opaque_bodies says.',
    check: (value) =>
      MEDIA_TYPE.test(value)
        ? undefined
        : `${JSON.stringify(value.slice(0, 40))} is not a media type; write it like application/json, text/* or *+json`,
    element: { match_all: [{ pattern: '^[%w*][^%s;,]*$', err: 'must be a media type without parameters' }] },
    prepare: (value) => value.toLowerCase(),
  }),
  opaque_bodies: choice({
    description:
      'What happens with a body that is no text, or not in body_content_types. omit: the policy decides without it. reject: 415 for a request, 502 for a response. Text whose content encoding or charset cannot be decoded is always refused, unless this is allow_unreadable: then the policy decides without it.',
    values: ['omit', 'reject', 'allow_unreadable'],
    default: 'omit',
  }),
  encoded_request_bodies: choice({
    description:
      'How a request body with Content-Encoding reaches the upstream after the policy was shown its text. decode: decoded, without Content-Encoding, so that the upstream reads what the policy read. forward: as the client sent it; an upstream that ignores Content-Encoding, or decodes in another way, reads something else. reject: status 415. On MCP routes forward means decode. A body that the policy is not shown stays as it is.',
    values: ['decode', 'forward', 'reject'],
    default: 'decode',
  }),
  excluded_request_headers: textList({
    description:
      'Names of request headers that the policy provider is not shown. They reach the upstream as the client sent them.',
    check: (value) =>
      isToken(value)
        ? undefined
        : `${JSON.stringify(value.slice(0, 40))} is not a header name; leave out spaces and colons`,
    element: { match_all: [{ pattern: TOKEN_LUA_PATTERN, err: 'must be a header name' }] },
    prepare: (value) => value.toLowerCase(),
  }),
  max_sideband_response_bytes: wholeNumber({
    description:
      'Largest answer of the policy provider in bytes; a larger one is refused with 502. It holds the whole message and the state, so allow for more than twice the largest body.',
    min: 1024,
    max: 256 * MIB,
    default: 32 * MIB,
  }),
} as const;

/** Requests that are refused unless an admin says otherwise. */
export const ADMISSION_FIELDS = {
  allow_http2: flag({
    description:
      'Whether HTTP/2 clients are served. Needs Kong 3.9 or later: older versions skip the response phase for them, and responses would pass unfiltered.',
    default: false,
  }),
  allow_upgrade: flag({
    description:
      'Whether protocol upgrades such as WebSocket are let through once the request is permitted. Kong skips the response phase for a request that asks for a WebSocket: whatever the upstream answers, a plain 200 too, goes out unfiltered.',
    default: false,
  }),
} as const;
