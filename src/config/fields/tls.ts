import { isIP } from 'node:net';
import { optionalText } from '../field.js';
import { certificateProblem, privateKeyProblem } from '../formats.js';

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

const BEGIN_CERTIFICATE = {
  pattern: '%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-',
  err: 'must be PEM text with -----BEGIN CERTIFICATE-----',
};

/** Whom the plugin trusts as policy provider, and who it is itself. */
export const TLS_FIELDS = {
  ca_certificate: optionalText({
    description:
      "PEM text of one or more certificates. Only what they (or certificates issued by them) vouch for is trusted as policy provider, instead of Node.js's own list of authorities.",
    check: certificateProblem,
    referenceable: true,
    match_all: [BEGIN_CERTIFICATE],
  }),
  client_certificate: optionalText({
    description:
      'PEM text of the certificate, with its chain, that the plugin shows to a policy provider which asks for one (mutual TLS). Needs client_key.',
    check: certificateProblem,
    referenceable: true,
    match_all: [BEGIN_CERTIFICATE],
  }),
  client_key: optionalText({
    description:
      'PEM text of the private key of client_certificate, without a passphrase. Can be a vault reference.',
    check: privateKeyProblem,
    referenceable: true,
    encrypted: true,
    match_all: [{ pattern: '%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-', err: 'must be a PEM private key' }],
  }),
  tls_server_name: optionalText({
    description:
      "Host name to ask for in the TLS handshake (SNI) and to expect in the policy provider's certificate, when it differs from the host in service_url.",
    check: serverNameProblem,
    match_all: [{ pattern: '^[%w._-]+$', err: 'must be a host name, without scheme and port' }],
  }),
} as const;

function serverNameProblem(value: string): string | undefined {
  if (isIP(value) !== 0) return 'must be a host name, not an IP address; put the address into service_url';
  return HOST_NAME.test(value) ? undefined : 'is not a host name; leave out scheme, port and path';
}
