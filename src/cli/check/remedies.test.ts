// What an admin has to do about each answer of a policy provider: the sentences that are read in an incident.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { createServer as createHttp, RequestListener } from 'node:http';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TlsOptions } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { type Authority, createAuthority, selfSignedServer } from '../../../test/support/certificates.js';
import { FakeTerminal } from '../../../test/support/fake-terminal.js';
import { SYSTEM_CLOCK } from '../../sideband/call-deadline.js';
import { checkCommand } from './command.js';
import type { ConfigurationReport, Finding } from './finding.js';

let authority: Authority;
let folder: string;
let server: Server | undefined;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-remedies-'));
  authority = await createAuthority();
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
});
afterEach(() => {
  if (server !== undefined && 'closeAllConnections' in server)
    (server as ReturnType<typeof createHttp>).closeAllConnections();
  server?.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function port(started: Server): Promise<number> {
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return (started.address() as AddressInfo).port;
}

async function provider(listener: RequestListener, tls: TlsOptions = {}): Promise<string> {
  const identity = await authority.issueServer(['localhost']);
  return `https://localhost:${await port(createHttps({ ...identity, ...tls }, listener))}`;
}

/** Everything that is not "ok". */
async function problems(url: string, settings: Record<string, unknown> = {}): Promise<Finding[]> {
  const config = {
    service_url: url,
    shared_secret: 's3cret',
    secret_header_name: 'CLIENT-TOKEN',
    ...settings,
  };
  const file = join(folder, 'kong.json');
  writeFileSync(file, JSON.stringify({ _format_version: '3.0', plugins: [{ name: 'ping-auth', config }] }));
  const terminal = new FakeTerminal({});
  await checkCommand(terminal).parseAsync([file, '--json', '--ca', join(folder, 'ca.pem')], { from: 'user' });
  const { configurations } = JSON.parse(terminal.result.stdout) as { configurations: ConfigurationReport[] };
  const steps = new Set(['tls', 'endpoint', 'secret', 'decision', 'response']);
  return (configurations[0]?.providers[0]?.findings ?? []).filter(
    // The certificates of tests live for a few days.
    ({ step, status, text }) => status !== 'ok' && steps.has(step) && !/expires in/.test(text),
  );
}

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  };

describe('the remedy for an answer', () => {
  it.each<readonly [string, RequestListener, string, string, RegExp]>([
    [
      '403',
      answer(403, '{"code":"FORBIDDEN","message":"no"}'),
      'secret',
      'failed',
      /allowed to use the Sideband API/,
    ],
    [
      '429',
      answer(429, '{"code":"LIMIT","message":"slow"}', { 'retry-after': '1' }),
      'decision',
      'warning',
      /raise the rate limit of this gateway/,
    ],
    ['500', answer(500, '{"code":"INTERNAL","message":"oops"}'), 'decision', 'failed', /look into/],
    [
      'JSON of another kind',
      answer(200, '{"hello":"world"}'),
      'decision',
      'failed',
      /not in the form of the Sideband API/,
    ],
    [
      'a redirect',
      answer(302, '', { location: 'https://elsewhere.example/' }),
      'endpoint',
      'failed',
      /Something else answers at https:\/\/localhost:\d+\. Kong: correct host, port and path/,
    ],
    [
      'a connection that ends',
      (request) => request.socket.destroy(),
      'endpoint',
      'failed',
      /set client_certificate and client_key/,
    ],
  ])('%s', async (_, listener, step, status, remedy) => {
    const found = await problems(await provider(listener));
    expect(found).toMatchObject([{ step, status, remedy: expect.stringMatching(remedy) }]);
  });

  it('one that is too large', async () => {
    const url = await provider(answer(200, `{"padding":"${'x'.repeat(70_000)}"}`));
    const found = await problems(url, { max_sideband_response_bytes: 65_536 });
    expect(found).toMatchObject([
      { step: 'decision', remedy: expect.stringMatching(/raise max_sideband_response_bytes/) },
    ]);
  });

  it('one that does not come', async () => {
    // On a busy machine the time is lost here and not at the provider, which is another error.
    const lag = vi.spyOn(SYSTEM_CLOCK, 'lag').mockReturnValue(0);
    onTestFinished(() => lag.mockRestore());
    const url = await provider(() => undefined);
    const found = await problems(url, { call_timeout_ms: 1000 });
    expect(found).toMatchObject([
      { step: 'decision', remedy: expect.stringMatching(/raise call_timeout_ms/) },
    ]);
  });

  it('a permit whose call for the response fails', async () => {
    const url = await provider((request, response) => {
      if (request.url?.endsWith('/response')) return answer(500, '{}')(request, response);
      request.pipe(response);
    });
    expect(await problems(url)).toMatchObject([
      { step: 'response', status: 'failed', text: expect.stringMatching(/^the call for responses fails: /) },
    ]);
  });
});

describe('the remedy for a TLS connection', () => {
  it('that is not checked', async () => {
    const identity = await selfSignedServer(['other.example']);
    const url = await provider((request, response) => void request.pipe(response), identity);
    const found = await problems(url, { verify_service_certificate: false });
    expect(found).toMatchObject([
      { step: 'tls', status: 'warning', text: expect.stringMatching(/self-signed/) },
      { step: 'tls', status: 'warning', remedy: expect.stringMatching(/tls_server_name/) },
      {
        step: 'tls',
        status: 'warning',
        text: 'the certificate is not checked: verify_service_certificate is false',
      },
    ]);
  });

  it('with a version that is too old', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    expect(await problems(await provider(() => undefined, old))).toMatchObject([
      { step: 'tls', status: 'failed', remedy: expect.stringMatching(/TLS 1\.2 or newer is needed/) },
    ]);
  });

  it('that never begins', async () => {
    const sockets = new Set<{ destroy(): void }>();
    const url = `https://localhost:${await port(createTcp((socket) => void sockets.add(socket)))}`;
    expect(await problems(url, { connection_timeout_ms: 200 })).toMatchObject([
      { step: 'tls', status: 'failed', remedy: expect.stringMatching(/check the listener on port \d+/) },
    ]);
    for (const socket of sockets) socket.destroy();
  });
});
