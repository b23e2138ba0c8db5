import { certificatesOf } from '../config/pem.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { CertificateJwk } from './messages.js';

/**
 * The public key of the client's TLS certificate as a JWK (RFC 7517) with the certificate chain in `x5c`, leaf first.
 * @param pem one or more certificates, the first one is the client's. RSA, EC, Ed25519 and Ed448 keys.
 * @throws PingAuthError `request_unreadable`: a certificate that the policy cannot be shown must not pass as "none".
 */
export function certificateToJwk(pem: string): CertificateJwk {
  try {
    const chain = certificatesOf(pem);
    const [leaf] = chain;
    const { kty, ...members } = leaf.publicKey.export({ format: 'jwk' });
    if (typeof kty !== 'string') throw new Error('its key has no JWK form');
    const x5c = chain.map((certificate) => certificate.raw.toString('base64'));
    return { kty, ...stringMembers(members), x5c };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PingAuthError('request_unreadable', { detail: `client certificate: ${reason}`, cause });
  }
}

function stringMembers(members: object): Record<string, string> {
  const strings: Record<string, string> = {};
  for (const [name, value] of Object.entries(members)) if (typeof value === 'string') strings[name] = value;
  return strings;
}
