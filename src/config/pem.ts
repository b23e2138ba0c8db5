// Certificates and keys as PEM text (RFC 7468), also as a form or a vault hands them over: Kong Manager's fields are one line,
// so a browser turns each line break of a pasted PEM into a blank or drops it; environment variables often hold \n in two characters.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { TextFormat } from './field.js';

interface PemBlock {
  readonly label: string;
  /** What stands between BEGIN and END. */
  readonly body: string;
}

const BLOCK = /-----BEGIN ([A-Z0-9][A-Z0-9 ]*)-----((?:(?!-----)[\s\S])*)-----END \1-----/g;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
const ENCRYPTED = /ENCRYPTED/;

/** Its message is for an admin and never repeats anything of the text. */
class PemError extends Error {
  override readonly name = 'PemError';
}

/** The certificates of a PEM text in order. @throws Error when there is none or one of them cannot be read. */
export function certificatesOf(pem: string): [X509Certificate, ...X509Certificate[]] {
  const [first, ...others] = certificateBlocks(pem).map((block) => new X509Certificate(canonical(block)));
  if (first === undefined) throw new PemError('holds no certificate');
  return [first, ...others];
}

/** @throws Error when it is not an unencrypted private key. */
export function privateKeyOf(pem: string): KeyObject {
  return createPrivateKey(canonical(privateKeyBlock(pem)));
}

/** One or more certificates, kept alone and each in its canonical form. */
export const CERTIFICATES = {
  check: (pem) =>
    problemOf(
      () => certificatesOf(pem),
      'certificate',
      'expected PEM text: -----BEGIN CERTIFICATE----- … -----END CERTIFICATE-----',
    ),
  prepare: (pem) => certificateBlocks(pem).map(canonical).join(''),
  match_all: [
    {
      pattern: '%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-',
      err: 'must be PEM text with -----BEGIN CERTIFICATE-----',
    },
  ],
} satisfies TextFormat;

/** A private key, likewise. Neither the key nor OpenSSL's complaint about it is repeated. */
export const PRIVATE_KEY = {
  check: (pem) =>
    problemOf(
      () => privateKeyOf(pem),
      'private key',
      'expected PEM text without a passphrase: -----BEGIN PRIVATE KEY----- … -----END PRIVATE KEY-----',
    ),
  prepare: (pem) => canonical(privateKeyBlock(pem)),
  encrypted: true,
  match_all: [{ pattern: '%-%-%-%-%-BEGIN [%u ]*PRIVATE KEY%-%-%-%-%-', err: 'must be a PEM private key' }],
} satisfies TextFormat;

function problemOf(read: () => unknown, what: string, expected: string): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    return `${error instanceof PemError ? error.message : `holds a ${what} that cannot be decoded`}; ${expected}`;
  }
}

function certificateBlocks(pem: string): PemBlock[] {
  return blocksOf(pem).filter(({ label }) => label === 'CERTIFICATE');
}

/** The first one, as OpenSSL reads it: `openssl ecparam -genkey` puts EC PARAMETERS in front. */
function privateKeyBlock(pem: string): PemBlock {
  const block = blocksOf(pem).find(({ label }) => label.endsWith('PRIVATE KEY'));
  if (block === undefined) throw new PemError('holds no private key');
  if (ENCRYPTED.test(block.label)) throw new PemError('holds a private key with a passphrase');
  return block;
}

/**
 * Text around the blocks is allowed and dropped (RFC 7468), half a block is not: a list of authorities that was cut off must not
 * pass as a shorter one.
 */
function blocksOf(pem: string): PemBlock[] {
  const text = pem.replaceAll(/\\+[rn]/g, '\n');
  if (/-----(BEGIN|END) /.test(text.replaceAll(BLOCK, ''))) {
    throw new PemError('is cut off: it has a BEGIN line without its END line, or the other way round');
  }
  return [...text.matchAll(BLOCK)].map(([, label = '', body = '']) => ({ label, body }));
}

/** The base64 in lines of 64 characters, as OpenSSL writes it. */
function canonical({ label, body }: PemBlock): string {
  // A key with a passphrase in the old form (RFC 1421) has headers in front of the base64.
  if (ENCRYPTED.test(body)) throw new PemError('holds a private key with a passphrase');
  const base64 = body.replaceAll(/\s+/g, '');
  if (!BASE64.test(base64) || base64.length % 4 !== 0) {
    throw new PemError('holds something between BEGIN and END that is not base64, or not all of it');
  }
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
