import { optionalText, textList, wholeNumber } from '../field.js';
import { isToken, SERVICE_URL_PATTERNS, serviceUrlProblem, TOKEN_LUA_PATTERN } from '../formats.js';
import { certificateProblem, normalizedCertificates } from '../pem.js';
import { SECRET_PATTERNS, secretProblem } from './provider.js';
import { BEGIN_CERTIFICATE } from './tls.js';

/** A second policy provider that is asked about live traffic and decides nothing. */
export const SHADOW_FIELDS = {
  shadow_service_url: optionalText({
    description:
      'Base URL of a shadow policy provider, written like `service_url`. ping-auth asks it about live traffic after the decision, compares both decisions and logs what differs. It can change nothing.\n\nNeeds `shadow_shared_secret`. Empty: no shadow.',
    check: serviceUrlProblem,
    reference: 'ping-auth-shadow-url',
    ...SERVICE_URL_PATTERNS,
  }),
  shadow_shared_secret: optionalText({
    description:
      'Secret that authenticates this gateway to the shadow policy provider, in the header `secret_header_name`. Needs `shadow_service_url`.',
    check: secretProblem,
    reference: 'ping-auth-shadow-secret',
    encrypted: true,
    match_none: SECRET_PATTERNS,
  }),
  shadow_ca_certificate: optionalText({
    description:
      'PEM text of the certificates that ping-auth trusts for the shadow policy provider, like `ca_certificate`.\n\nEmpty: `ca_certificate`.',
    check: certificateProblem,
    prepare: normalizedCertificates,
    reference: 'ping-auth-shadow-ca',
    match_all: [BEGIN_CERTIFICATE],
  }),
  shadow_percent: wholeNumber({
    description:
      'Percentage of requests about which ping-auth asks the shadow policy provider. ping-auth chooses them at random.',
    min: 0,
    max: 100,
    default: 100,
  }),
  shadow_ignored_headers: textList({
    description:
      'Headers whose differences do not count in the comparison with the shadow policy provider, such as a header with a timestamp.',
    check: (value) => (isToken(value) ? undefined : 'is not a header name'),
    element: {
      match_all: [{ pattern: TOKEN_LUA_PATTERN, err: 'must be a header name' }],
    },
    len_max: 100,
    prepare: (value) => value.toLowerCase(),
  }),
} as const;
