import { isIP } from 'node:net';
import { optionalText } from '../field.js';
import {
  certificateProblem,
  normalizedCertificates,
  normalizedPrivateKey,
  privateKeyProblem,
} from '../pem.js';

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/i;

export const BEGIN_CERTIFICATE = {
  pattern: '%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-',
  err: 'must be PEM text with -----BEGIN CERTIFICATE-----',
};

/** Whom the plugin trusts as policy provider, and who it is itself. */
export const TLS_FIELDS = {
  ca_certificate: optionalText({
    description:
      "PEM text of one or more certificates. ping-auth trusts a policy provider only if its certificate is one of them or was issued by one of them.\n\nEmpty: Node.js's list of authorities.\n\nPaste the text as it is; lost line breaks do not matter.",
    check: certificateProblem,
    prepare: normalizedCertificates,
    reference: 'ping-auth-ca',
    match_all: [BEGIN_CERTIFICATE],
  }),
  client_certificate: optionalText({
    description:
      'PEM text of the certificate, followed by its chain, that ping-auth presents to a policy provider that asks for one (mutual TLS). Needs `client_key`.',
    check: certificateProblem,
    prepare: normalizedCertificates,
    reference: 'ping-auth-certificate',
    match_all: [BEGIN_CERTIFICATE],
  }),
  client_key: optionalText({
    description: 'PEM text of the private key of `client_certificate`, without a passphrase.',
    check: privateKeyProblem,
    prepare: normalizedPrivateKey,
    reference: 'ping-auth-key',
    encrypted: true,
    match_all: [{ pattern: '%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-', err: 'must be a PEM private key' }],
  }),
  tls_server_name: optionalText({
    description:
      "Host name for the TLS handshake (SNI) and in the policy provider's certificate.\n\nEmpty: the host in `service_url`.",
    check: serverNameProblem,
    match_all: [{ pattern: '^[%w._-]+$', err: 'must be a host name, without scheme and port' }],
  }),
} as const;

function serverNameProblem(value: string): string | undefined {
  if (isIP(value) !== 0) return 'must be a host name, not an IP address; put the address into service_url';
  return HOST_NAME.test(value) ? undefined : 'is not a host name; leave out scheme, port and path';
}
