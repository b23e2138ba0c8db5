import { certificatesOf } from '../config/pem.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import type { CertificateJwk } from './messages.js';

/** Clients keep their certificates for months, and a JWK costs 150 to 300 µs. */
const MAX_CERTIFICATES = 1000;
const MAX_CACHED_BYTES = 8 * 1024 * 1024;

/** JWKs by PEM text, the oldest ones first. Bounded, since clients choose what is in it. */
const cache = new Map<string, CertificateJwk>();
let cachedBytes = 0;

/** {@link readCertificate}, once for each certificate. Only what could be read is remembered. */
export function certificateToJwk(pem: string): CertificateJwk {
  const known = cache.get(pem);
  if (known !== undefined) return known;
  const jwk = readCertificate(pem);
  if (sizeOf(pem) > MAX_CACHED_BYTES) return jwk;
  cache.set(pem, jwk);
  cachedBytes += sizeOf(pem);
  for (const oldest of cache.keys()) {
    if (cache.size <= MAX_CERTIFICATES && cachedBytes <= MAX_CACHED_BYTES) break;
    cache.delete(oldest);
    cachedBytes -= sizeOf(oldest);
  }
  return jwk;
}

/** How many certificates are remembered, and the bytes they take; for tests. */
export function certificateCache(): { readonly count: number; readonly bytes: number } {
  return { count: cache.size, bytes: cachedBytes };
}

/** The PEM text itself, and the JWK, which holds about as much. */
function sizeOf(pem: string): number {
  return 2 * pem.length;
}

/**
 * The public key of the client's TLS certificate as a JWK (RFC 7517) with the certificate chain in `x5c`, leaf first.
 * @param pem one or more certificates, the first one is the client's. RSA, EC, Ed25519 and Ed448 keys.
 * @throws PingAuthError `request_unreadable`: a certificate that the policy cannot be shown must not pass as "none".
 */
function readCertificate(pem: string): CertificateJwk {
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
