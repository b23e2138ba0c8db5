import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { CONNECTION_MAX_AGE_MS } from '../../src/sideband/connection-pool.js';
import { knownProviders } from '../../src/sideband/sideband-client.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import type { Answering } from '../support/hostile-provider.js';
import { PERMIT, PUNCTUAL_CLOCK, testClient } from '../support/sideband-clients.js';
import { permit, sidebandSetup } from '../support/sideband-setup.js';
import { until } from '../support/until.js';

const setup = sidebandSetup();
const { provider } = setup;

function client(
  service_url: string,
  config: Readonly<Record<string, unknown>> = {},
  runtime = setup.runtime,
) {
  return testClient(
    { service_url, ca_certificate: setup.authority.cert, connections: 1, ...config },
    { runtime },
  );
}

/** Answers nothing until it is told to; then everything. */
function held(): { answer: Answering; letGo: () => void; waiting: () => number } {
  const waiting: (() => void)[] = [];
  let open = false;
  return {
    answer: (socket, request) =>
      open ? permit(socket, request) : waiting.push(() => permit(socket, request)),
    letGo: () => {
      open = true;
      for (const answer of waiting.splice(0)) answer();
    },
    waiting: () => waiting.length,
  };
}

describe('bounds', () => {
  test('never more calls at once than connections; the rest waits and is served', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url, { connections: 3 });
    const calls = Array.from({ length: 10 }, () => one.outcome());
    await until('three are under way', () => gate.waiting() === 3);
    expect(knownProviders(setup.runtime)).toMatchObject([{ calls: { underWay: 3, queued: 7 } }]);
    gate.letGo();
    expect(await Promise.all(calls)).toEqual(Array(10).fill('permit'));
    expect(server.accepted).toBeLessThanOrEqual(3);
    expect(knownProviders(setup.runtime)).toMatchObject([{ calls: { underWay: 0, queued: 0 } }]);
  });

  test('a server that closes after an answer without having said so gets no call twice', async () => {
    let received = 0;
    const server = createServer((request, answer) => {
      received++;
      const isLast = received % 3 === 0;
      request.resume().on('end', () => {
        answer.end(JSON.stringify(PERMIT), () => isLast && request.socket.end());
      });
    });
    setup.closing.add(() => server.close().closeAllConnections());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const one = client(`http://127.0.0.1:${port}`, { connections: 4 });
    const calls = Array.from({ length: 60 }, () => one.outcome());
    expect(await Promise.all(calls)).toEqual(Array(60).fill('permit'));
    expect(received).toBe(60);
  });

  test('beyond the queue: refused at once', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url, { max_queued_calls: 2 });
    const calls = Array.from({ length: 3 }, () => one.outcome());
    expect((await one.failure()).code).toBe('provider_queue_full');
    gate.letGo();
    expect(await Promise.all(calls)).toEqual(Array(3).fill('permit'));
  });

  test('a deadline that passes in the queue is an overload, not a failing provider: clients could cause it', async () => {
    const server = await provider(() => {});
    const patient = client(server.url, { call_timeout_ms: 3000, connection_timeout_ms: 200 });
    const hurried = client(server.url, { call_timeout_ms: 200, connection_timeout_ms: 200 });
    const gone = new AbortController();
    const first = patient.outcome({ signal: gone.signal });
    await until('the connection is taken', () => server.received.length === 1);
    const error = await hurried.failure();
    expect([error.code, error.failOpenScope]).toEqual(['provider_queue_full', undefined]);
    gone.abort();
    expect(await first).toBe('client_gone');
  });

  test('nor one that passes soon after a long wait in the queue', async () => {
    const server = await provider(() => {});
    const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
    setup.closing.add(() => runtime.close());
    const inTime = (call_timeout_ms: number) =>
      client(server.url, { call_timeout_ms, connection_timeout_ms: 600 }, runtime).failure();
    const first = inTime(600);
    await until('the connection is taken', () => server.received.length === 1);
    const late = await inTime(800);
    expect((await first).code).toBe('provider_timeout');
    expect([late.code, late.failOpenScope]).toEqual(['provider_queue_full', undefined]);
    expect(knownProviders(runtime)).toMatchObject([{ calls: { underWay: 0, queued: 0 } }]);
  });

  test('a call whose client goes away leaves the queue', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url);
    const first = one.outcome();
    await until('the connection is taken', () => gate.waiting() === 1);
    const gone = new AbortController();
    const second = one.outcome({ signal: gone.signal });
    gone.abort();
    expect(await second).toBe('client_gone');
    gate.letGo();
    expect(await first).toBe('permit');
    expect(server.received).toHaveLength(1);
  });
});

describe('sharing', () => {
  test('instances with the same settings use the same connections, also one after the other', async () => {
    const server = await provider(permit);
    const first = client(server.url);
    expect(await first.outcome()).toBe('permit');
    first.release();
    expect(await client(server.url).outcome()).toBe('permit');
    expect(
      await client(`${server.url}/path`, { failover_retry_ms: 999, shared_secret: 'another' }).outcome(),
    ).toBe('permit');
    expect(server.accepted).toBe(1);
  });

  test.each([
    ['TLS settings', { verify_service_certificate: false }],
    ['limits', { connections: 2 }],
    ['timeouts', { connection_timeout_ms: 999 }],
  ])('other %s: other connections', async (_, config) => {
    const server = await provider(permit);
    await client(server.url).outcome();
    await client(server.url, config).outcome();
    expect(server.accepted).toBe(2);
  });

  test('a released instance ends its call normally', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url);
    const call = one.outcome();
    await until('the call is under way', () => gate.waiting() === 1);
    one.release();
    gate.letGo();
    expect(await call).toBe('permit');
  });

  test('providers that no configuration names are forgotten after long disuse, and come back when they are wanted', async () => {
    const [old, used] = [await provider(permit), await provider(permit)];
    const [first, second] = [client(old.url), client(used.url)];
    await first.outcome();
    await second.outcome();
    first.release();
    setup.clock.forward(599_000);
    expect(knownProviders(setup.runtime).map(({ provider }) => provider)).toEqual([old.url, used.url]);
    setup.clock.forward(2000);
    expect(knownProviders(setup.runtime).map(({ provider }) => provider)).toEqual([used.url]);
    await until('its connection is closed', () => !old.isOpen(0));
    expect([await first.outcome(), await second.outcome()]).toEqual(['permit', 'permit']);
  });

  test('a call that is under way is no disuse', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url);
    const call = one.outcome();
    await until('the call is under way', () => gate.waiting() === 1);
    one.release();
    setup.clock.forward(3_600_000);
    knownProviders(setup.runtime);
    gate.letGo();
    expect(await call).toBe('permit');
  });
});

describe('age', () => {
  test('connections are renewed, so that a changed DNS entry is followed; calls under way are not disturbed', async () => {
    const gate = held();
    const server = await provider(gate.answer);
    const one = client(server.url, { connections: 2 });
    const old = one.outcome();
    await until('the call is under way', () => gate.waiting() === 1);
    setup.clock.forward(CONNECTION_MAX_AGE_MS + 1);
    const young = one.outcome();
    await until('so is the next', () => gate.waiting() === 2);
    gate.letGo();
    expect([await old, await young]).toEqual(['permit', 'permit']);
    // With its next call, which still gets its answer. The young one stays. Two calls at once use both.
    const both = () => Promise.all([one.outcome(), one.outcome()]);
    while (server.isOpen(0)) expect(await both()).toEqual(['permit', 'permit']);
    expect(server.isOpen(1)).toBe(true);
    const last = server.received.findLast(({ connection }) => connection === 0);
    expect(last?.head).toMatch(/^connection: close$/im);
    expect(await one.outcome()).toBe('permit');
  });
});
