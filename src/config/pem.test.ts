import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority, type Identity } from '../../test/support/certificates.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { parseConfig } from './parse-config.js';
import { CERTIFICATES, certificatesOf, PRIVATE_KEY } from './pem.js';

const MINIMAL = { service_url: 'https://pa.example:3020', shared_secret: 'Zk4' };

let authority: Authority;
let client: Identity;
let both: string;
beforeAll(async () => {
  authority = await createAuthority();
  client = await authority.issueClient('kong');
  both = `${client.cert.trim()}\n${authority.cert.trim()}\n`;
});

/** What a form, a vault or an environment variable makes of a PEM text. */
const DAMAGES: readonly (readonly [string, (pem: string) => string])[] = [
  ['as it is', (pem) => pem],
  ['blanks for line breaks, as a browser pastes it', (pem) => pem.replaceAll('\n', ' ')],
  ['no line breaks', (pem) => pem.replaceAll('\n', '')],
  ['\\n in two characters', (pem) => pem.replaceAll('\n', '\\n')],
  ['\\n escaped twice', (pem) => pem.replaceAll('\n', '\\\\n')],
  ['\\r\\n in four characters', (pem) => pem.replaceAll('\n', '\\r\\n')],
  ['CRLF', (pem) => pem.replaceAll('\n', '\r\n')],
  ['empty lines and indentation', (pem) => pem.replaceAll('\n', '\n\n\t  ')],
  ['a byte order mark and no-break spaces', (pem) => `\ufeff${pem.replaceAll('\n', '\u00a0')}`],
  ['quotes around it', (pem) => `"${pem.trim().replaceAll('\n', '\\n')}"`],
];

describe.each(DAMAGES)('PEM with %s', (_, damage) => {
  test('gives the same certificates and the same key, in canonical form', () => {
    const config = parseConfig({
      ...MINIMAL,
      ca_certificate: damage(both),
      client_certificate: damage(client.cert),
      client_key: damage(client.key),
    });
    expect(config.ca_certificate).toBe(both);
    expect(config.client_certificate).toBe(`${client.cert.trim()}\n`);
    expect(config.client_key).toBe(`${client.key.trim()}\n`);
  });
});

test('two certificates in a row without anything between them are two', () => {
  const joined = (client.cert.trim() + authority.cert.trim()).replaceAll('\n', ' ');
  expect(certificatesOf(joined).map(({ subject }) => subject)).toEqual([
    expect.stringContaining('kong'),
    expect.stringContaining('Test Authority'),
  ]);
});

test('text around the blocks is dropped, as in the bundles of OpenSSL and Mozilla', () => {
  const bundle = `# Test\nsubject=CN = kong, -- it --\n${client.cert}\nBag Attributes: x\n${authority.cert}`;
  expect(CERTIFICATES.prepare(bundle)).toBe(both);
});

test('a key in a bundle of certificates does not become part of what is trusted', () => {
  expect(CERTIFICATES.prepare(client.key + client.cert)).toBe(`${client.cert.trim()}\n`);
});

test.each([
  ['pkcs8', 'ec'],
  ['sec1', 'ec'],
  ['pkcs8', 'rsa'],
  ['pkcs1', 'rsa'],
  ['pkcs8', 'ed25519'],
] as const)('a key in %s of %s survives', (type, kind) => {
  const { privateKey } = generateKeyPairSync(kind as 'rsa', {
    modulusLength: 2048,
    ...(kind === 'ec' && { namedCurve: 'P-256' }),
  });
  const pem = privateKey.export({ format: 'pem', type: type as 'pkcs8' }).toString();
  const parameters = '-----BEGIN EC PARAMETERS----- BggqhkjOPQMBBw== -----END EC PARAMETERS----- ';
  const pasted = (kind === 'ec' ? parameters : '') + pem.replaceAll('\n', ' ');
  expect(PRIVATE_KEY.prepare(pasted)).toBe(pem);
  expect(createPrivateKey(PRIVATE_KEY.prepare(pasted)).equals(privateKey)).toBe(true);
});

describe('what is no PEM', () => {
  /** Why `config_invalid`; the field is named, its content is not repeated. */
  function refused(field: string, value: string): string {
    try {
      parseConfig({ ...MINIMAL, client_certificate: client.cert, client_key: client.key, [field]: value });
    } catch (error) {
      if (!(error instanceof PingAuthError)) throw error;
      expect(error.code).toBe('config_invalid');
      const { detail = '' } = error;
      expect(detail).toMatch(new RegExp(`^${field}: `));
      for (const line of value.split('\n')) if (line.length > 40) expect(detail).not.toContain(line);
      return detail;
    }
    throw new Error('the configuration was accepted');
  }

  const FIELDS = ['ca_certificate', 'client_certificate', 'client_key'];
  test.each(FIELDS)('%s: a path', (field) => {
    expect(refused(field, '/etc/ssl/pa.pem')).toMatch(/holds no (certificate|private key); expected PEM/);
  });

  test('bare base64', () => {
    const base64 = client.key.replaceAll(/-----.*-----|\n/g, '');
    expect(refused('client_key', base64)).toContain('client_key: holds no private key');
  });

  test('a block that was cut off, also behind a whole one', () => {
    const half = authority.cert.slice(0, 300);
    expect(refused('ca_certificate', half)).toContain('is cut off');
    expect(refused('ca_certificate', `${client.cert}\n${half}`)).toContain('is cut off');
    expect(refused('ca_certificate', authority.cert.replace('-----BEGIN CERTIFICATE-----', ''))).toContain(
      'is cut off',
    );
  });

  test('base64 that lost or gained characters', () => {
    const lines = client.key.split('\n');
    const body = (lines[1] ?? '').slice(1);
    expect(refused('client_key', client.key.replace(lines[1] ?? '', body))).toContain(
      'not base64, or not all',
    );
    expect(refused('client_key', client.key.replace(lines[1] ?? '', `${body}…`))).toContain('not base64');
    // Whole groups of four are base64 still, but no key.
    expect(refused('client_key', client.key.replace((lines[1] ?? '').slice(0, 8), ''))).toContain(
      'cannot be decoded',
    );
  });

  test('a key with a passphrase, in the new and the old form', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const secret = { format: 'pem', cipher: 'aes-256-cbc', passphrase: 'p' } as const;
    for (const type of ['pkcs8', 'pkcs1'] as const) {
      const pem = privateKey.export({ type, ...secret }).toString();
      expect(refused('client_key', pem), type).toContain('holds a private key with a passphrase');
      expect(refused('client_key', pem.replaceAll('\n', ' ')), type).toContain('with a passphrase');
    }
  });

  test('a certificate in the place of the key, and the other way round', () => {
    expect(refused('client_key', client.cert)).toContain('holds no private key');
    expect(refused('ca_certificate', client.key)).toContain('holds no certificate');
  });
});
