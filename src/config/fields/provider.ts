import {
  flag,
  optionalWholeNumber,
  positiveMilliseconds,
  requiredText,
  requiredTextWithDefault,
} from '../field.js';
import {
  hasControlCharacter,
  isToken,
  SERVICE_URL_PATTERNS,
  serviceUrlProblem,
  TOKEN_LUA_PATTERN,
} from '../formats.js';
import type { KongPattern } from '../kong-field.js';

/** Headers that belong to the connection or that the client sets itself: the secret under such a name breaks the call. */
const RESERVED_HEADERS = new Set([
  'host',
  'content-type',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'upgrade',
  'expect',
  'te',
  'trailer',
  'accept',
  'user-agent',
  'x-request-id',
  'traceparent',
  'tracestate',
]);

export const SECRET_PATTERNS: readonly KongPattern[] = [
  { pattern: '%c', err: 'must not contain line breaks or other control characters' },
  { pattern: '^%s', err: 'must not start with a space' },
  { pattern: '%s$', err: 'must not end with a space' },
  {
    pattern: '<[Cc]lient[ _-]?[Nn]ame>',
    err: 'still contains the placeholder <client name>; replace it with the name from the policy provider',
  },
];

/** Where the policy provider is and how to talk to it: the seven fields of the existing plugin, and the deadline. */
export const PROVIDER_FIELDS = {
  service_url: requiredText({
    description:
      'Base URL of the policy provider, such as `https://pingaccess.example.com:3020`. A path and a query are kept.\n\nLeave out `/sideband/request`; ping-auth appends it.',
    check: serviceUrlProblem,
    reference: 'ping-auth-url',
    ...SERVICE_URL_PATTERNS,
  }),
  shared_secret: requiredText({
    description:
      'Secret that authenticates this gateway to the policy provider. It is sent exactly as given.',
    check: secretProblem,
    reference: 'ping-auth-secret',
    encrypted: true,
    match_none: SECRET_PATTERNS,
  }),
  secret_header_name: requiredTextWithDefault({
    description:
      'Name of the HTTP header that carries the shared secret, as configured in the policy provider.\n\n`CLIENT-TOKEN` is what PingAccess, PingAuthorize and PingOne Authorize use unless changed there.',
    check: secretHeaderProblem,
    default: 'CLIENT-TOKEN',
    match_all: [
      {
        pattern: TOKEN_LUA_PATTERN,
        err: 'must be a header name: letters, digits and hyphens, no spaces or colons',
      },
    ],
  }),
  connection_timeout_ms: positiveMilliseconds({
    description:
      'How many milliseconds to wait for a connection to the policy provider.\n\nUnless `call_timeout_ms` is set, it is also the deadline of the whole call, at most 50 seconds.',
    default: 10_000,
  }),
  call_timeout_ms: optionalWholeNumber({
    description:
      'Deadline in milliseconds of one call to the policy provider, including queue, connection, failover and answer.\n\nEmpty: `connection_timeout_ms`, at most 50 seconds.',
    min: 1,
    max: 50_000,
    unit: 'milliseconds',
  }),
  connection_keepAlive_ms: positiveMilliseconds({
    description:
      'How many milliseconds an idle connection to the policy provider stays open for the next call.',
    default: 60_000,
  }),
  verify_service_certificate: flag({
    description:
      "Whether ping-auth verifies the policy provider's TLS certificate.\n\nFor tests only: when it is off, anybody on the network path can answer for the policy provider.",
    default: true,
  }),
  enable_debug_logging: flag({
    description:
      'Whether ping-auth logs the messages that it exchanges with the policy provider. Secrets, tokens and cookies are redacted; long bodies are cut off.',
    default: false,
  }),
} as const;

export function secretProblem(value: string): string | undefined {
  if (hasControlCharacter(value)) {
    return 'contains a line break or another control character (often the newline at the end of a file); remove it';
  }
  if (value.trim() !== value) return 'starts or ends with a space; remove it';
  if (/<\s*client[\s_-]*name\s*>/i.test(value)) {
    return 'still contains the placeholder <client name>; replace it with the name from the policy provider';
  }
  if (!/^[\x20-\x7e]+$/.test(value))
    return 'contains a character that cannot travel in a header; use ASCII only';
  return undefined;
}

function secretHeaderProblem(value: string): string | undefined {
  if (!isToken(value)) {
    return `${JSON.stringify(value.slice(0, 40))} is not a header name; use letters, digits and hyphens, without spaces or a colon`;
  }
  if (RESERVED_HEADERS.has(value.toLowerCase())) {
    return `${value} is a header that the call needs for itself; use the name configured in the policy provider, for example CLIENT-TOKEN`;
  }
  return undefined;
}
