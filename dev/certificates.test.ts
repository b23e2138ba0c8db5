import { X509Certificate } from 'node:crypto';
import { createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAuthority, createSelfSigned, type KeyPair } from './certificates.js';

describe('development certificates', () => {
  it.each(['EC', 'RSA', 'Ed25519'] as const)(
    'an %s leaf is trusted through its CA over TLS',
    async (algorithm) => {
      const authority = await createAuthority();
      const leaf = await authority.issue({ algorithm });
      expect(await visit(await serve(leaf), authority.cert)).toBe('hello');
    },
  );

  it('a self-signed certificate, another CA, an expired leaf and a wrong name are refused by a client', async () => {
    const authority = await createAuthority();
    const stranger = await createAuthority('stranger');
    const expired = await authority.issue({ notAfter: new Date(Date.now() - 60_000) });
    const elsewhere = await authority.issue({ names: ['elsewhere.test'] });
    await expect(visit(await serve(await createSelfSigned()), authority.cert)).rejects.toThrow(/self-signed/);
    await expect(visit(await serve(await stranger.issue()), authority.cert)).rejects.toThrow(/unable to/);
    await expect(visit(await serve(expired), authority.cert)).rejects.toThrow(/expired/);
    await expect(visit(await serve(elsewhere), authority.cert)).rejects.toThrow(/altnames/);
  });

  it('two certificates never share a serial number', async () => {
    const authority = await createAuthority();
    const serials = await Promise.all(
      Array.from(
        { length: 20 },
        async () => new X509Certificate((await authority.issue()).cert).serialNumber,
      ),
    );
    expect(new Set(serials).size).toBe(20);
    expect(serials.every((serial) => serial.length === 32)).toBe(true);
  });
});

async function serve(pair: KeyPair): Promise<Server> {
  const server = createServer(pair, (_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

function visit(server: Server, ca: string): Promise<string> {
  const { port } = server.address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, ca, agent: false }, (response) => {
      response.setEncoding('utf8');
      response.once('data', resolve);
    });
    request.once('error', reject);
  });
}
