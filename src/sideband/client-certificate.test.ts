import 'reflect-metadata';
import { createPublicKey, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { certificateCache, certificateToJwk } from './client-certificate.js';

x509.cryptoProvider.set(webcrypto);

const KEYS = {
  RSA: {
    name: 'RSASSA-PKCS1-v1_5',
    hash: 'SHA-256',
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
  EC: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  Ed25519: { name: 'Ed25519' },
};

async function certificate(kind: keyof typeof KEYS) {
  const keys = (await webcrypto.subtle.generateKey(KEYS[kind], true, [
    'sign',
    'verify',
  ])) as webcrypto.CryptoKeyPair;
  const issued = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${kind}`,
    keys,
    signingAlgorithm: KEYS[kind],
  });
  return {
    pem: issued.toString('pem'),
    der: Buffer.from(issued.rawData).toString('base64'),
    spki: Buffer.from(await webcrypto.subtle.exportKey('spki', keys.publicKey)),
  };
}

describe('a client certificate as the policy is shown it', () => {
  it.each([
    ['RSA', 'RSA', ['e', 'kty', 'n', 'x5c']],
    ['EC', 'EC', ['crv', 'kty', 'x', 'x5c', 'y']],
    ['Ed25519', 'OKP', ['crv', 'kty', 'x', 'x5c']],
  ] as const)('%s: the public key alone, and the DER', async (kind, kty, members) => {
    const { pem, der, spki } = await certificate(kind);
    const jwk = certificateToJwk(pem);
    expect(jwk.kty).toBe(kty);
    expect(Object.keys(jwk).sort()).toEqual(members);
    expect(jwk.x5c).toEqual([der]);
    const key = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    expect(key.export({ type: 'spki', format: 'der' })).toEqual(spki);
  });

  it('takes the first certificate for the key and shows the whole chain, leaf first', async () => {
    const [leaf, authority] = [await certificate('EC'), await certificate('RSA')];
    const jwk = certificateToJwk(`${leaf.pem}\n${authority.pem}\n`);
    expect(jwk.kty).toBe('EC');
    expect(jwk.x5c).toEqual([leaf.der, authority.der]);
  });

  it.each([
    ['nothing', ''],
    ['no PEM', 'hello'],
    ['a damaged one', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'],
  ])('refuses the request for %s: an unreadable certificate is not "no certificate"', (_case, pem) => {
    expect(() => certificateToJwk(pem)).toThrow(expect.objectContaining({ code: 'request_unreadable' }));
  });

  it('refuses a chain with one damaged link', async () => {
    const { pem } = await certificate('EC');
    const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    expect(() => certificateToJwk(pem + damaged)).toThrow(
      expect.objectContaining({ code: 'request_unreadable' }),
    );
  });
});

describe('what is remembered of client certificates', () => {
  it('is the JWK, made once for each certificate', async () => {
    const [first, second] = [await certificate('EC'), await certificate('EC')];
    expect(certificateToJwk(first.pem)).toBe(certificateToJwk(first.pem));
    expect(certificateToJwk(second.pem)).not.toBe(certificateToJwk(first.pem));
  });

  it('is bounded by number and by bytes, and nothing of what cannot be read', async () => {
    const { pem, der } = await certificate('EC');
    for (let n = 0; n < 1100; n++) expect(certificateToJwk(`${n}\n${pem}`).x5c).toEqual([der]);
    expect(certificateCache().count).toBe(1000);
    for (let n = 0; n < 20; n++) certificateToJwk(`${' '.repeat(1024 * 1024)}${n}\n${pem}`);
    expect(certificateCache().bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
    certificateToJwk(`${' '.repeat(9 * 1024 * 1024)}${pem}`);
    const { count } = certificateCache();
    expect(() => certificateToJwk('none')).toThrow();
    expect(certificateCache()).toMatchObject({ count });
    expect(certificateCache().bytes).toBeLessThanOrEqual(8 * 1024 * 1024);
  });
});
