import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import {
  type Authority,
  createAuthority,
  EXPIRED,
  type Identity,
  NOT_YET_VALID,
  selfSignedServer,
} from '../support/certificates.js';
import { response, startHostileProvider } from '../support/hostile-provider.js';
import { PERMIT, PUNCTUAL_CLOCK, testClient } from '../support/sideband-clients.js';
import { findTool } from '../support/tools.js';
import { until } from '../support/until.js';

const OPENSSL = findTool(['openssl'], 'apt-get install openssl');

let authority: Authority;
let identity: Identity;
const closing = new Closing();

beforeAll(async () => {
  authority = await createAuthority();
  identity = await authority.issueServer(['127.0.0.1', 'localhost']);
});
afterEach(() => closing.close());

/** A provider with these TLS settings that permits everything, and a client with this configuration. */
async function pair(tls: TlsOptions, config: Readonly<Record<string, unknown>> = {}) {
  const server = await startHostileProvider(tls, (socket) => socket.write(response('200 OK', PERMIT)));
  closing.add(() => server.close());
  const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
  closing.add(() => runtime.close());
  const settings = {
    service_url: server.url,
    ca_certificate: authority.cert,
    call_timeout_ms: 3000,
    ...config,
  };
  return { server, client: testClient(settings, { runtime }) };
}

describe('certificates that are refused, with a log line that says why', () => {
  const cases: [string, () => Promise<Identity>, Record<string, unknown>, RegExp][] = [
    [
      'expired',
      () => authority.issueServer(['127.0.0.1'], EXPIRED),
      {},
      /has expired \(CERT_HAS_EXPIRED\); subject "CN=127.0.0.1", issuer "CN=Test Authority", valid from .+ to .+/,
    ],
    [
      'not yet valid',
      () => authority.issueServer(['127.0.0.1'], NOT_YET_VALID),
      {},
      /not valid yet.*\(CERT_NOT_YET_VALID\)/,
    ],
    [
      'self-signed',
      () => selfSignedServer(['127.0.0.1']),
      {},
      /self-signed and not trusted; put it into ca_certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\); subject "CN=127.0.0.1", issuer "CN=127.0.0.1"/,
    ],
    [
      'for another host',
      () => authority.issueServer(['pa.example.com']),
      {},
      /for another host; .*\(ERR_TLS_CERT_ALTNAME_INVALID\); subject "CN=pa.example.com".*names "DNS:pa.example.com"/,
    ],
    [
      'of an unknown authority',
      async () => (await createAuthority('Stranger')).issueServer(['127.0.0.1']),
      {},
      /issuer is unknown; put the authority into ca_certificate.*issuer "CN=Stranger"/,
    ],
    [
      'right, but without ca_certificate the authority is not known',
      async () => identity,
      { ca_certificate: null },
      /put the authority into ca_certificate/,
    ],
    [
      'right, but tls_server_name asks for another',
      async () => identity,
      { tls_server_name: 'pa.example.com' },
      /for another host/,
    ],
  ];
  test.each(cases)('%s', async (_, make, config, detail) => {
    const { server, client } = await pair(await make(), config);
    const error = await client.failure();
    expect(error.code).toBe('provider_tls_failed');
    expect(error.failOpenScope).toBeUndefined();
    expect(error.detail).toMatch(detail);
    expect(server.received).toEqual([]);
  });

  test('again and again: no handshake of before makes the second one pass', async () => {
    const { server, client } = await pair(await authority.issueServer(['pa.example.com']));
    for (let i = 0; i < 5; i++) expect(await client.outcome()).toBe('provider_tls_failed');
    expect(server.received).toEqual([]);
  });
});

describe('certificates that are accepted', () => {
  test('of the given authority, among several', async () => {
    const other = await createAuthority('Other');
    const { client } = await pair(identity, { ca_certificate: `${other.cert}\n${authority.cert}` });
    expect(await client.outcome()).toBe('permit');
  });

  test('a self-signed one that is given itself', async () => {
    const self = await selfSignedServer(['127.0.0.1']);
    const { client } = await pair(self, { ca_certificate: self.cert });
    expect(await client.outcome()).toBe('permit');
  });

  test('by the name in tls_server_name, which is also asked for', async () => {
    const named = await authority.issueServer(['pa.example.com']);
    const asked: string[] = [];
    const { client } = await pair(
      {
        ...named,
        SNICallback: (name, done) => {
          asked.push(name);
          done(null);
        },
      },
      { tls_server_name: 'pa.example.com' },
    );
    expect(await client.outcome()).toBe('permit');
    expect(asked).toEqual(['pa.example.com']);
  });

  test('any, with verify_service_certificate false', async () => {
    const { client } = await pair(await selfSignedServer(['x'], EXPIRED), {
      verify_service_certificate: false,
      ca_certificate: null,
    });
    expect(await client.outcome()).toBe('permit');
  });

  test('what one configuration accepts does not help another that verifies', async () => {
    const self = await selfSignedServer(['127.0.0.1']);
    const { server, client } = await pair(self, { verify_service_certificate: false });
    expect(await client.outcome()).toBe('permit');
    const strict = testClient({ service_url: server.url }, { runtime: client.runtime });
    expect(await strict.outcome()).toBe('provider_tls_failed');
  });
});

describe('mutual TLS', () => {
  const demanding = () => ({ ...identity, ca: authority.cert, requestCert: true, rejectUnauthorized: true });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('the client certificate is shown over %s', async (version) => {
    const { cert, key } = await authority.issueClient('kong');
    const tls = { ...demanding(), maxVersion: version, minVersion: version };
    const { client } = await pair(tls, { client_certificate: cert, client_key: key });
    expect(await client.outcome()).toBe('permit');
  });

  test('without one, or with one that the provider does not trust, nothing arrives', async () => {
    const { cert, key } = await (await createAuthority('Stranger')).issueClient('kong');
    for (const config of [{}, { client_certificate: cert, client_key: key }]) {
      const { client, server } = await pair(demanding(), config);
      expect(await client.outcome()).not.toBe('permit');
      expect(server.received).toEqual([]);
    }
  });

  // Node's own server hangs up without the alert that other servers send.
  test.skipIf(OPENSSL === undefined).each([
    ['-tls1_2', /asks for a client certificate \(ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE\)/],
    ['-tls1_3', /asks for a client certificate; set client_certificate and client_key \(ERR_SSL_TLSV13_/],
  ])('the log says what is missing, and nothing can fail open (openssl %s)', async (version, detail) => {
    const port = await startOpenssl(version);
    const { client } = await pair(identity, { service_url: `https://127.0.0.1:${port}` });
    const error = await client.failure();
    expect([error.code, error.failOpenScope]).toEqual(['provider_tls_failed', undefined]);
    expect(error.detail).toMatch(detail);
  });

  /** A server that demands a client certificate; openssl chooses the port and prints it. */
  async function startOpenssl(version: string): Promise<string> {
    const folder = closing.folder('ping-auth-tls-');
    for (const [name, pem] of Object.entries({
      cert: identity.cert,
      key: identity.key,
      ca: authority.cert,
    })) {
      writeFileSync(join(folder, name), pem);
    }
    const files = ['-cert', join(folder, 'cert'), '-key', join(folder, 'key'), '-CAfile', join(folder, 'ca')];
    const server = spawn('openssl', [
      's_server',
      '-accept',
      '0',
      '-Verify',
      '1',
      '-verify_return_error',
      version,
      ...files,
    ]);
    closing.add(() => server.kill());
    let printed = '';
    server.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
    });
    const port = () => /ACCEPT \S*:(\d+)/.exec(printed)?.[1];
    await until('openssl listens', () => port() !== undefined);
    return port() ?? '';
  }
});

describe('no TLS that will do', () => {
  test('TLS 1.1 only', async () => {
    const ciphers = 'DEFAULT@SECLEVEL=0';
    const { client } = await pair({ ...identity, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers });
    const error = await client.failure();
    expect(error.code).toBe('provider_tls_failed');
    expect(error.detail).toContain('TLS 1.2 is the oldest supported');
  });

  test('a plain http:// port', async () => {
    const plain = await startHostileProvider(undefined, (socket) =>
      socket.end(response('400 Bad Request', '')),
    );
    closing.add(() => plain.close());
    // It answers before it could have read a whole request, as servers do on a TLS hello.
    const { client } = await pair(identity, {
      service_url: `https://127.0.0.1:${plain.port}`,
      call_timeout_ms: 500,
    });
    expect(['provider_tls_failed', 'provider_timeout']).toContain(await client.outcome());
  });
});
