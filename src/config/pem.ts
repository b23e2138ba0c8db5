import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a PEM text in order. @throws Error when there is none or one of them cannot be read. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) throw new Error('no certificate in it');
  return blocks.map((block) => new X509Certificate(block));
}

/** @throws Error when it is not an unencrypted private key. */
export function privateKeyOf(pem: string): KeyObject {
  return createPrivateKey(pem);
}

export function certificateProblem(pem: string): string | undefined {
  try {
    certificatesOf(pem);
    return undefined;
  } catch {
    return 'holds no readable PEM certificate; expected -----BEGIN CERTIFICATE----- … with its line breaks';
  }
}

/** The key itself is never repeated, not even the library's complaint about it. */
export function privateKeyProblem(pem: string): string | undefined {
  try {
    privateKeyOf(pem);
    return undefined;
  } catch {
    return 'is not a readable PEM private key; expected -----BEGIN PRIVATE KEY----- … with its line breaks, without a passphrase';
  }
}
