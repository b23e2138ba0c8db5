import { describe, expect, test } from 'vitest';
import type { ProviderFailed } from '../../src/sideband/observer.js';
import { selfSignedServer } from '../support/certificates.js';
import {
  type Answering,
  type HostileProvider,
  response,
  startHostileProvider,
} from '../support/hostile-provider.js';
import { REQUEST, testClient } from '../support/sideband-clients.js';
import { permit, sidebandSetup } from '../support/sideband-setup.js';

const setup = sidebandSetup();
const { provider } = setup;

const destroy: Answering = (socket) => socket.destroy();
const answering =
  (status: string, headers?: string[]): Answering =>
  (socket) =>
    socket.write(response(status, '{}', headers && [...headers, 'Content-Length: 2']));

async function refusing(): Promise<HostileProvider> {
  const server = await provider(permit);
  await server.close();
  return server;
}

function client(urls: readonly string[], config: Readonly<Record<string, unknown>> = {}) {
  const failures: ProviderFailed[] = [];
  const [service_url, ...failover_service_urls] = urls;
  const settings = {
    service_url,
    failover_service_urls,
    ca_certificate: setup.authority.cert,
    call_timeout_ms: 2000,
    ...config,
  };
  const one = testClient(settings, {
    runtime: setup.runtime,
    observer: { providerFailed: (event) => failures.push(event) },
  });
  return Object.assign(one, { failures });
}

describe('the next provider is asked when no byte of an answer came', () => {
  test('connection refused', async () => {
    const [first, second] = [await refusing(), await provider(permit)];
    const one = client([first.url, second.url]);
    const asked = await one.evaluateRequest(REQUEST, {});
    expect(asked.provider).toBe(second.url);
    expect(one.failures).toEqual([
      {
        phase: 'request',
        provider: first.url,
        code: 'provider_unreachable',
        detail: expect.stringContaining('ECONNREFUSED'),
        next: second.url,
      },
    ]);
  });

  test('TLS failed', async () => {
    const first = await provider(permit, await selfSignedServer(['127.0.0.1']));
    const second = await provider(permit);
    expect(await client([first.url, second.url]).outcome()).toBe('permit');
    expect(first.received).toEqual([]);
  });

  test('connection lost before the head', async () => {
    const [first, second] = [await provider(destroy), await provider(permit)];
    expect(await client([first.url, second.url]).outcome()).toBe('permit');
    expect([first.received.length, second.received.length]).toEqual([1, 1]);
  });

  test('connect timeout: a provider that swallows packets leaves time for the next', async () => {
    const black = await startHostileProvider(undefined, () => {});
    setup.closing.add(() => black.close());
    const second = await provider(permit);
    const one = client([`https://127.0.0.1:${black.port}`, second.url], {
      call_timeout_ms: 4000,
      connection_timeout_ms: 200,
    });
    expect(await one.outcome()).toBe('permit');
    expect(one.failures[0]).toMatchObject({ code: 'provider_timeout', next: second.url });
  });

  test('in order, to the last; then the failure is reported', async () => {
    const servers = [await refusing(), await provider(destroy), await refusing()];
    const urls = servers.map(({ url }) => url);
    const one = client(urls);
    const error = await one.failure();
    // The second one was reached: no fail-open.
    expect([error.code, error.mayFailOpen('unreachable')]).toEqual(['provider_connection_lost', false]);
    expect(one.failures.map(({ provider, next }) => [provider, next])).toEqual([
      [urls[0], urls[1]],
      [urls[1], urls[2]],
      [urls[2], undefined],
    ]);
  });

  test('a certificate that is not trusted outweighs a provider that is down: no fail-open', async () => {
    const wrong = await provider(permit, await selfSignedServer(['127.0.0.1']));
    const error = await client([wrong.url, (await refusing()).url]).failure();
    expect(error.code).toBe('provider_tls_failed');
    expect(error.call.provider).toBe(wrong.url);
  });
});

describe('an answer is final', () => {
  test.each<[string, Answering, string]>([
    ['a permit', permit, 'permit'],
    ['401', answering('401 Unauthorized'), 'provider_secret_refused'],
    ['500', answering('500 Internal Server Error'), 'provider_failing'],
    ['413', answering('413 Too Large'), 'provider_payload_too_large'],
    ['429', answering('429 Too Many Requests'), 'provider_rate_limited'],
    ['{}', answering('200 OK'), 'provider_answer_invalid'],
    ['a head that is cut', (socket) => socket.end('HTTP/1.1 200'), 'provider_connection_lost'],
    [
      'a body that is cut',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{'),
      'provider_connection_lost',
    ],
  ])('%s', async (_, answer, outcome) => {
    const [first, second] = [await provider(answer), await provider(permit)];
    expect(await client([first.url, second.url]).outcome()).toBe(outcome);
    expect([first.received.length, second.accepted]).toEqual([1, 0]);
  });

  test('silence until the deadline: the time is over', async () => {
    const [first, second] = [await provider(() => {}), await provider(permit)];
    const one = client([first.url, second.url], { call_timeout_ms: 200 });
    expect(await one.outcome()).toBe('provider_timeout');
    expect(second.accepted).toBe(0);
    // But the next request does not wait for it again.
    expect(await one.outcome()).toBe('permit');
  });
});

describe('a provider that failed', () => {
  test('is left out for failover_retry_ms, then one request probes it', async () => {
    const [first, second] = [await provider(destroy), await provider(permit)];
    const one = client([first.url, second.url], { failover_retry_ms: 5000 });
    for (let i = 0; i < 4; i++) expect(await one.outcome()).toBe('permit');
    expect(first.received).toHaveLength(1);

    setup.clock.forward(5000);
    await Promise.all(Array.from({ length: 5 }, () => one.outcome()));
    expect(first.received).toHaveLength(2);

    first.answer = permit;
    setup.clock.forward(4999);
    expect((await one.evaluateRequest(REQUEST, {})).provider).toBe(second.url);
    setup.clock.forward(1);
    expect((await one.evaluateRequest(REQUEST, {})).provider).toBe(first.url);
    expect((await one.evaluateRequest(REQUEST, {})).provider).toBe(first.url);
  });

  test('is asked all the same when the others fail too', async () => {
    const [first, second] = [await provider(destroy), await provider(permit)];
    const one = client([first.url, second.url]);
    expect(await one.outcome()).toBe('permit');
    first.answer = permit;
    second.answer = destroy;
    expect((await one.evaluateRequest(REQUEST, {})).provider).toBe(first.url);
  });

  test('a probe whose client goes away leaves the next request to probe', async () => {
    const [first, second] = [await provider(destroy), await provider(permit)];
    const one = client([first.url, second.url], { failover_retry_ms: 5000 });
    await one.outcome();
    setup.clock.forward(5000);
    const gone = new AbortController();
    first.answer = () => gone.abort();
    expect(await one.outcome({ signal: gone.signal })).toBe('client_gone');
    first.answer = permit;
    expect((await one.evaluateRequest(REQUEST, {})).provider).toBe(first.url);
  });

  test('other configurations know it too', async () => {
    const [first, second] = [await provider(destroy), await provider(permit)];
    await client([first.url, second.url]).outcome();
    await client([first.url, second.url]).outcome();
    expect(first.received).toHaveLength(1);
  });
});

describe('together with the circuit', () => {
  test('an open circuit is passed over', async () => {
    const [first, second] = [await provider(answering('503 Service Unavailable')), await provider(permit)];
    const one = client([first.url, second.url], { circuit_failures: 2 });
    const outcomes = [await one.outcome(), await one.outcome(), await one.outcome()];
    expect(outcomes).toEqual(['provider_failing', 'provider_failing', 'permit']);
    expect(first.received).toHaveLength(2);
  });

  test('a rate limit is not got around', async () => {
    const [first, second] = [
      await provider(answering('429 Too Many', ['Retry-After: 9'])),
      await provider(permit),
    ];
    const one = client([first.url, second.url]);
    expect([await one.outcome(), await one.outcome()]).toEqual([
      'provider_rate_limited',
      'provider_rate_limited',
    ]);
    expect([first.received.length, second.accepted]).toEqual([1, 0]);
  });
});
