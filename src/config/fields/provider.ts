import { isIP } from 'node:net';
import { isToken } from '../../http/text.js';
import {
  flag,
  optionalText,
  optionalWholeNumber,
  positiveMilliseconds,
  requiredText,
  textList,
  wholeNumber,
} from '../field.js';
import { HEADER_NAME, SECRET, SERVICE_URL, TOKEN_PATTERN } from '../formats.js';
import { CERTIFICATES, PRIVATE_KEY } from '../pem.js';

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

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

/** Where the policy provider is and how to talk to it: the seven fields of the existing plugin, and the deadline. */
export const PROVIDER_FIELDS = {
  service_url: requiredText(
    'Base URL of the policy provider, such as `https://pingaccess.example.com:3020`. A path and a query are kept.\n\nLeave out `/sideband/request`; ping-auth appends it.',
    { ...SERVICE_URL, reference: 'ping-auth-url' },
  ),
  shared_secret: requiredText(
    'Secret that authenticates this gateway to the policy provider. It is sent exactly as given.',
    { ...SECRET, reference: 'ping-auth-secret' },
  ),
  secret_header_name: requiredText(
    'Name of the HTTP header that carries the shared secret, as configured in the policy provider.\n\n`CLIENT-TOKEN` is what PingAccess, PingAuthorize and PingOne Authorize use unless changed there.',
    {
      check: secretHeaderProblem,
      default: 'CLIENT-TOKEN',
      match_all: [
        {
          pattern: TOKEN_PATTERN,
          err: 'must be a header name: letters, digits and hyphens, no spaces or colons',
        },
      ],
    },
  ),
  connection_timeout_ms: positiveMilliseconds(
    'How many milliseconds to wait for a connection to the policy provider.\n\nUnless `call_timeout_ms` is set, it is also the deadline of the whole call, at most 50 seconds.',
    { default: 10_000 },
  ),
  call_timeout_ms: optionalWholeNumber(
    'Deadline in milliseconds of one call to the policy provider, including queue, connection, failover and answer.\n\nEmpty: `connection_timeout_ms`, at most 50 seconds.',
    { min: 1, max: 50_000, unit: 'milliseconds' },
  ),
  connection_keepAlive_ms: positiveMilliseconds(
    'How many milliseconds an idle connection to the policy provider stays open for the next call.',
    { default: 60_000 },
  ),
  verify_service_certificate: flag(
    "Whether ping-auth verifies the policy provider's TLS certificate.\n\nFor tests only: when it is off, anybody on the network path can answer for the policy provider.",
    { default: true },
  ),
  enable_debug_logging: flag(
    'Whether ping-auth logs the messages that it exchanges with the policy provider. Secrets, tokens and cookies are redacted; long bodies are cut off.',
    { default: false },
  ),
} as const;

/** Whom the plugin trusts as policy provider, and who it is itself. */
export const TLS_FIELDS = {
  ca_certificate: optionalText(
    "PEM text of one or more certificates. ping-auth trusts a policy provider only if its certificate is one of them or was issued by one of them.\n\nEmpty: Node.js's list of authorities.\n\nPaste the text as it is; lost line breaks do not matter.",
    { ...CERTIFICATES, reference: 'ping-auth-ca' },
  ),
  client_certificate: optionalText(
    'PEM text of the certificate, followed by its chain, that ping-auth presents to a policy provider that asks for one (mutual TLS). Needs `client_key`.',
    { ...CERTIFICATES, reference: 'ping-auth-certificate' },
  ),
  client_key: optionalText('PEM text of the private key of `client_certificate`, without a passphrase.', {
    ...PRIVATE_KEY,
    reference: 'ping-auth-key',
  }),
  tls_server_name: optionalText(
    "Host name for the TLS handshake (SNI) and in the policy provider's certificate.\n\nEmpty: the host in `service_url`.",
    {
      check: serverNameProblem,
      match_all: [{ pattern: '^[%w._-]+$', err: 'must be a host name, without scheme and port' }],
    },
  ),
} as const;

/** A second policy provider that is asked about live traffic and decides nothing. */
export const SHADOW_FIELDS = {
  shadow_service_url: optionalText(
    'Base URL of a shadow policy provider, written like `service_url`. ping-auth asks it about live traffic after the decision, compares both decisions and logs what differs. It can change nothing.\n\nNeeds `shadow_shared_secret`. Empty: no shadow.',
    { ...SERVICE_URL, reference: 'ping-auth-shadow-url' },
  ),
  shadow_shared_secret: optionalText(
    'Secret that authenticates this gateway to the shadow policy provider, in the header `secret_header_name`. Needs `shadow_service_url`.',
    { ...SECRET, reference: 'ping-auth-shadow-secret' },
  ),
  shadow_ca_certificate: optionalText(
    'PEM text of the certificates that ping-auth trusts for the shadow policy provider, like `ca_certificate`.\n\nEmpty: `ca_certificate`.',
    { ...CERTIFICATES, reference: 'ping-auth-shadow-ca' },
  ),
  shadow_percent: wholeNumber(
    'Percentage of requests about which ping-auth asks the shadow policy provider. ping-auth chooses them at random.',
    { min: 0, max: 100, default: 100 },
  ),
  shadow_ignored_headers: textList(
    'Headers whose differences do not count in the comparison with the shadow policy provider, such as a header with a timestamp.',
    { ...HEADER_NAME, len_max: 100 },
  ),
} as const;

function secretHeaderProblem(value: string): string | undefined {
  if (!isToken(value)) {
    return `${JSON.stringify(value.slice(0, 40))} is not a header name; use letters, digits and hyphens, without spaces or a colon`;
  }
  if (RESERVED_HEADERS.has(value.toLowerCase())) {
    return `${value} is a header that the call needs for itself; use the name configured in the policy provider, for example CLIENT-TOKEN`;
  }
  return undefined;
}

function serverNameProblem(value: string): string | undefined {
  if (isIP(value) !== 0) return 'must be a host name, not an IP address; put the address into service_url';
  return HOST_NAME.test(value) ? undefined : 'is not a host name; leave out scheme, port and path';
}
