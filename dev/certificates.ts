import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface LeafOptions {
  /** Subject CN. Default: the first of `names`, or `leaf`. */
  readonly commonName?: string;
  /** Host names and IP addresses of the subjectAltName. Default: localhost and 127.0.0.1. */
  readonly names?: readonly string[];
  readonly usage?: 'server' | 'client';
  readonly algorithm?: KeyAlgorithmName;
  /** Default: an hour ago. */
  readonly notBefore?: Date;
  /** Default: in seven days. */
  readonly notAfter?: Date;
}

export type KeyAlgorithmName = 'EC' | 'RSA' | 'Ed25519';

/** A certificate authority that lives in memory for one test run or one demo. */
export interface CertificateAuthority {
  /** The CA's own certificate, PEM: what a client has to trust. */
  readonly cert: string;
  /** A leaf certificate signed by this CA. */
  issue(options?: LeafOptions): Promise<KeyPair>;
  /** An authority below this one. */
  issueAuthority(commonName: string): Promise<CertificateAuthority>;
}

const DAY_MS = 24 * 60 * 60 * 1000;

const ALGORITHMS = {
  EC: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  RSA: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
  Ed25519: { name: 'Ed25519' },
} as const;

/** Makes a new CA with a key of its own. Nothing is written to disk. */
export async function createAuthority(
  commonName = 'ping-auth development CA',
): Promise<CertificateAuthority> {
  return authority(commonName);
}

async function authority(
  commonName: string,
  parent?: { readonly certificate: X509Certificate; readonly key: webcrypto.CryptoKey },
): Promise<CertificateAuthority> {
  const keys = await generateKeys('EC');
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: `CN=${commonName}`,
    issuer: parent?.certificate.subject ?? `CN=${commonName}`,
    ...validity({}),
    signingAlgorithm: ALGORITHMS.EC,
    signingKey: parent?.key ?? keys.privateKey,
    publicKey: keys.publicKey,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    cert: certificate.toString('pem'),
    issue: (options = {}) => issue(certificate, keys.privateKey, options),
    issueAuthority: (name) => authority(name, { certificate, key: keys.privateKey }),
  };
}

/** A certificate that nobody vouches for but itself. */
export async function createSelfSigned(options: LeafOptions = {}): Promise<KeyPair> {
  const algorithm = options.algorithm ?? 'EC';
  const keys = await generateKeys(algorithm);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: subject(options),
    ...validity(options),
    signingAlgorithm: ALGORITHMS[algorithm],
    keys,
    extensions: leafExtensions(options),
  });
  return { cert: certificate.toString('pem'), key: await privateKeyPem(keys.privateKey) };
}

async function issue(
  authority: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  options: LeafOptions,
): Promise<KeyPair> {
  const keys = await generateKeys(options.algorithm ?? 'EC');
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: subject(options),
    issuer: authority.subject,
    ...validity(options),
    signingAlgorithm: ALGORITHMS.EC,
    signingKey,
    publicKey: keys.publicKey,
    extensions: [...leafExtensions(options), await AuthorityKeyIdentifierExtension.create(authority)],
  });
  return { cert: certificate.toString('pem'), key: await privateKeyPem(keys.privateKey) };
}

function leafExtensions(options: LeafOptions): Extension[] {
  const names: JsonGeneralNames = (options.names ?? ['localhost', '127.0.0.1']).map((value) => ({
    type: isIP(value) === 0 ? 'dns' : 'ip',
    value,
  }));
  const usage = options.usage === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([usage]),
    new SubjectAlternativeNameExtension(names),
  ];
}

function subject(options: LeafOptions): string {
  return `CN=${options.commonName ?? options.names?.[0] ?? 'localhost'}`;
}

function validity(options: LeafOptions): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: options.notBefore ?? new Date(Date.now() - 60 * 60 * 1000),
    notAfter: options.notAfter ?? new Date(Date.now() + 7 * DAY_MS),
  };
}

/** 16 random bytes; the first one below 0x80 and not 0, so that it is a positive number of full length. */
function serialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString('hex');
}

async function generateKeys(algorithm: KeyAlgorithmName): Promise<webcrypto.CryptoKeyPair> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHMS[algorithm], true, ['sign', 'verify']);
  if ('publicKey' in keys) return keys;
  throw new TypeError(`${algorithm} is not an asymmetric algorithm`);
}

async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
