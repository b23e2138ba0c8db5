// Makes certificates for tests, in memory: an authority, server and client certificates, and wrong ones of every kind.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 86_400_000;

/** A certificate with its private key, both as PEM: what `tls.createServer` and `tls.connect` take. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export interface Authority extends Identity {
  /** A certificate for these host names and IP addresses, valid now unless told otherwise. */
  issueServer(names: readonly string[], validity?: Validity): Promise<Identity>;
  issueClient(commonName: string, validity?: Validity): Promise<Identity>;
}

/** Days from now; negative is in the past. */
export interface Validity {
  readonly fromDays: number;
  readonly toDays: number;
}

export const EXPIRED: Validity = { fromDays: -30, toDays: -1 };
export const NOT_YET_VALID: Validity = { fromDays: 1, toDays: 30 };
const VALID: Validity = { fromDays: -1, toDays: 30 };

export async function createAuthority(commonName = 'Test Authority'): Promise<Authority> {
  const keys = await generateKeys();
  const name = `CN=${commonName}`;
  const root = await x509.X509CertificateGenerator.create({
    ...dates(VALID),
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  const issuer = { name, key: keys.privateKey };
  return {
    cert: root.toString('pem'),
    key: await pem(keys.privateKey),
    issueServer: (names, validity = VALID) =>
      issue(`CN=${names[0] ?? 'nobody'}`, validity, issuer, serverExtensions(names)),
    issueClient: (subject, validity = VALID) =>
      issue(`CN=${subject}`, validity, issuer, [
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
      ]),
  };
}

/** A server certificate that only vouches for itself, as many policy providers have it out of the box. */
export async function selfSignedServer(
  names: readonly string[],
  validity: Validity = VALID,
): Promise<Identity> {
  return issue(`CN=${names[0] ?? 'nobody'}`, validity, undefined, serverExtensions(names));
}

interface Issuer {
  readonly name: string;
  readonly key: webcrypto.CryptoKey;
}

async function issue(
  subject: string,
  validity: Validity,
  issuer: Issuer | undefined,
  extensions: x509.Extension[],
): Promise<Identity> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...dates(validity),
    subject,
    issuer: issuer?.name ?? subject,
    publicKey: keys.publicKey,
    signingKey: issuer?.key ?? keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions,
  });
  return { cert: certificate.toString('pem'), key: await pem(keys.privateKey) };
}

function serverExtensions(names: readonly string[]): x509.Extension[] {
  return [
    new x509.SubjectAlternativeNameExtension(
      names.map((name) => ({ type: isIP(name) === 0 ? ('dns' as const) : ('ip' as const), value: name })),
    ),
    new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
  ];
}

function dates(validity: Validity): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return {
    notBefore: new Date(now + validity.fromDays * DAY_MS),
    notAfter: new Date(now + validity.toDays * DAY_MS),
  };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

async function pem(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`;
}
