import { describe, expect, test } from 'vitest';
import type { CircuitChanged } from '../../src/sideband/observer.js';
import { knownProviders } from '../../src/sideband/sideband-client.js';
import { type Answering, response } from '../support/hostile-provider.js';
import { PERMIT, testClient } from '../support/sideband-clients.js';
import { permit, sidebandSetup } from '../support/sideband-setup.js';
import { until } from '../support/until.js';

const setup = sidebandSetup();
const { provider } = setup;

const status =
  (line: string, ...headers: string[]): Answering =>
  (socket) =>
    socket.write(response(line, '{}', [...headers, 'Content-Length: 2']));

function client(service_url: string, config: Readonly<Record<string, unknown>> = {}) {
  const changes: CircuitChanged[] = [];
  const settings = { service_url, ca_certificate: setup.authority.cert, call_timeout_ms: 20_000, ...config };
  const one = testClient(settings, {
    runtime: setup.runtime,
    observer: { circuitChanged: (event) => changes.push(event) },
  });
  return Object.assign(one, { changes });
}

describe('429', () => {
  test.each([
    ['seconds', ['Retry-After: 20'], 20],
    ['a date', [`Retry-After: ${new Date(Date.UTC(2026, 0, 1, 0, 0, 30)).toUTCString()}`], 30],
    ['nothing', [], 1],
    ['garbage', ['Retry-After: soon'], 1],
    ['two different ones', ['Retry-After: 5', 'Retry-After: 9'], 1],
    ['a year', ['Retry-After: 31536000'], 300],
  ])('Retry-After with %s', async (_, headers, seconds) => {
    const server = await provider(status('429 Too Many Requests', ...headers));
    const one = client(server.url);
    const error = await one.failure();
    expect([error.code, error.retryAfterSeconds]).toEqual(['provider_rate_limited', seconds]);

    // Everybody gets 429 with the time that is left, and no provider is asked.
    setup.clock.forward(400);
    const later = await client(server.url).failure();
    expect([later.code, later.retryAfterSeconds]).toEqual([
      'provider_rate_limited',
      Math.ceil(seconds - 0.4),
    ]);
    expect(server.received).toHaveLength(1);

    server.answer = permit;
    setup.clock.forward(seconds * 1000 - 400);
    expect(await one.outcome()).toBe('permit');
  });

  test('is told once, and seen from outside', async () => {
    const server = await provider(status('429 Too Many Requests', 'Retry-After: 20'));
    const one = client(server.url);
    await one.outcome();
    await one.outcome();
    expect(one.changes).toEqual([
      { provider: server.url, from: 'closed', to: 'rate_limited', secondsLeft: 20 },
    ]);
    expect(knownProviders(setup.runtime)).toMatchObject([
      { provider: server.url, circuit: 'rate_limited', secondsLeft: 20 },
    ]);
  });

  test('of one provider does not touch another', async () => {
    const [limited, fine] = [
      await provider(status('429 Too Many Requests', 'Retry-After: 20')),
      await provider(permit),
    ];
    await client(limited.url).outcome();
    expect(await client(fine.url).outcome()).toBe('permit');
  });

  test('of one path does not touch another: PingOne serves all environments from one host', async () => {
    const server = await provider((socket, { head }) =>
      socket.write(head.includes('/env/1/') ? response('429 Too Many', '') : response('200 OK', PERMIT)),
    );
    await client(`${server.url}/env/1`).outcome();
    expect(await client(`${server.url}/env/2`).outcome()).toBe('permit');
  });
});

describe('consecutive failures', () => {
  const settings = { circuit_failures: 3, circuit_open_ms: 5000 };

  test('5xx: open, answered at once, then a single probe', async () => {
    const server = await provider(status('500 Internal Server Error'));
    const one = client(server.url, settings);
    for (let i = 0; i < 3; i++) expect(await one.outcome()).toBe('provider_failing');
    const error = await one.failure();
    expect([error.code, error.retryAfterSeconds]).toEqual(['provider_circuit_open', 5]);
    expect(server.received).toHaveLength(3);

    setup.clock.forward(5000);
    const answers: (() => void)[] = [];
    server.answer = (socket, request) => answers.push(() => permit(socket, request));
    const many = Array.from({ length: 5 }, () => one.outcome());
    await until('the probe is there', () => answers.length === 1);
    answers[0]?.();
    expect((await Promise.all(many)).sort()).toEqual(
      [...Array(4).fill('provider_circuit_open'), 'permit'].sort((a, b) => (a === b ? 0 : a < b ? -1 : 1)),
    );
    expect(server.received).toHaveLength(4);
    server.answer = permit;
    expect(await one.outcome()).toBe('permit');
    expect(one.changes.map(({ from, to }) => [from, to])).toEqual([
      ['closed', 'open'],
      ['half_open', 'closed'],
    ]);
  });

  test.each<[string, Answering, string]>([
    ['lost connections', (socket) => socket.destroy(), 'provider_connection_lost'],
    [
      'cut bodies',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'),
      'provider_connection_lost',
    ],
    ['silence', () => {}, 'provider_timeout'],
  ])('%s', async (_, answer, code) => {
    const server = await provider(answer);
    // Short for silence alone: on a busy machine a lost connection takes its time, too.
    const call_timeout_ms = code === 'provider_timeout' ? 150 : 30_000;
    const one = client(server.url, { ...settings, circuit_failures: 2, call_timeout_ms });
    expect([await one.outcome(), await one.outcome(), await one.outcome()]).toEqual([
      code,
      code,
      'provider_circuit_open',
    ]);
  });

  test.each<[string, Answering]>([
    ['401', status('401 Unauthorized')],
    ['413', status('413 Too Large')],
    ['400', status('400 Bad Request')],
    ['302', status('302 Found')],
    ['answers that are not understood', status('200 OK')],
    ['HTML', (socket) => socket.write(response('200 OK', '<html>'))],
  ])('%s never open it', async (_, answer) => {
    const server = await provider(answer);
    const one = client(server.url, { ...settings, circuit_failures: 1 });
    for (let i = 0; i < 4; i++) await one.outcome();
    expect(server.received).toHaveLength(4);
  });

  test('neither does what a client can cause: going away', async () => {
    const server = await provider(() => {});
    const one = client(server.url, { ...settings, circuit_failures: 1 });
    const gone = new AbortController();
    server.answer = () => gone.abort();
    expect(await one.outcome({ signal: gone.signal })).toBe('client_gone');
    server.answer = permit;
    expect(await one.outcome()).toBe('permit');
  });

  test('an untrusted certificate does not open it: an open circuit may fail open', async () => {
    const server = await provider(permit);
    const one = client(server.url, { ...settings, circuit_failures: 1, ca_certificate: null });
    expect([await one.outcome(), await one.outcome()]).toEqual([
      'provider_tls_failed',
      'provider_tls_failed',
    ]);
  });

  test('fails open only if it was opened by a provider that was never reached', async () => {
    const failing = await provider(status('500 Internal Server Error'));
    const gone = await provider(permit);
    await gone.close();
    const scopes: unknown[] = [];
    for (const { url } of [failing, gone]) {
      const one = client(url, { ...settings, circuit_failures: 2 });
      for (let i = 0; i < 2; i++) await one.outcome();
      const error = await one.failure();
      scopes.push([error.code, error.mayFailOpen('unreachable'), error.mayFailOpen('unavailable')]);
    }
    expect(scopes).toEqual([
      ['provider_circuit_open', false, true],
      ['provider_circuit_open', true, true],
    ]);
  });

  test('is shared by instances and outlives them', async () => {
    const server = await provider(status('500 Internal Server Error'));
    const first = client(server.url, { ...settings, circuit_failures: 1 });
    await first.outcome();
    first.release();
    expect(await client(server.url, settings).outcome()).toBe('provider_circuit_open');
  });
});
