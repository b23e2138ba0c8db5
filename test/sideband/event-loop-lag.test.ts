import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { knownProviders } from '../../src/sideband/sideband-client.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { startAnsweringWorker } from '../support/answering-worker.js';
import { startHostileProvider } from '../support/hostile-provider.js';
import { PUNCTUAL_CLOCK, testClient } from '../support/sideband-clients.js';
import { sidebandSetup } from '../support/sideband-setup.js';

// A client can keep the plugin's event loop busy. What comes of that is never the policy provider's fault.

const setup = sidebandSetup();

const DENY = { response: { response_code: 403, headers: [], body: 'denied' } };

function client(service_url: string, config: Readonly<Record<string, unknown>>) {
  const runtime = new SidebandRuntime();
  setup.closing.add(() => runtime.close());
  const settings = { service_url, ca_certificate: setup.authority.cert, circuit_failures: 1, ...config };
  return testClient(settings, { runtime });
}

function blockEventLoop(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Each of its threads waits for a writer, and takes no CPU time from the event loop. @returns what ends that */
function blockThreadPool(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-threads-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const readers = Array.from({ length: 4 }, () => open(pipe, 'r'));
  return async () => {
    const writer = openSync(pipe, constants.O_WRONLY);
    for (const reader of await Promise.all(readers)) await reader.close();
    closeSync(writer);
    rmSync(folder, { recursive: true });
  };
}

async function provider(afterMs: number | undefined) {
  const worker = await startAnsweringWorker(setup.identity, DENY, afterMs);
  setup.closing.add(() => worker.close());
  return worker;
}

/** Blocks it again and again until `call` is over. */
async function underStalls<T>(call: Promise<T>, milliseconds: number): Promise<T> {
  const stalls = setInterval(() => blockEventLoop(milliseconds), 20);
  try {
    return await call;
  } finally {
    clearInterval(stalls);
  }
}

test('an answer that has arrived when the deadline passes is read first', async () => {
  const { url, received } = await provider(50);
  const one = client(url, { call_timeout_ms: 1500 });
  const arrived = received();
  const call = one.outcome();
  await arrived;
  // Nothing happens here until long after the deadline. In the loop's next turn timers come first.
  setImmediate(() => blockEventLoop(2000));
  expect(await call).toBe('deny');
});

describe('a deadline that passes while the event loop is late', () => {
  test('on a provider that was reached: 503, never a fail-open, no failure of the provider', async () => {
    const { url } = await provider(undefined);
    const one = client(url, { call_timeout_ms: 1000, fail_open_scope: 'unavailable' });
    const error = await underStalls(one.failure(), 200);
    expect([error.code, error.status]).toEqual(['server_overloaded', 503]);
    expect(error.mayFailOpen('unavailable')).toBe(false);
    expect(knownProviders(one.runtime)).toMatchObject([{ circuit: 'closed', ejected: false }]);
  });

  test('on a connection that is not established in time: the same', async () => {
    const silent = await startHostileProvider(undefined, () => {});
    setup.closing.add(() => silent.close());
    for (const config of [{ call_timeout_ms: 600 }, { call_timeout_ms: 5000, connection_timeout_ms: 400 }]) {
      const one = client(`https://127.0.0.1:${silent.port}`, config);
      const error = await underStalls(one.failure(), 200);
      expect([error.code, error.mayFailOpen('unavailable')]).toEqual(['server_overloaded', false]);
      expect(knownProviders(one.runtime)).toMatchObject([{ circuit: 'closed', ejected: false }]);
    }
  });

  test('a thread pool that clients keep busy counts as well: it looks up host names', async () => {
    const silent = await startHostileProvider(undefined, () => {});
    setup.closing.add(() => silent.close());
    const one = client(`https://localhost:${silent.port}`, { call_timeout_ms: 600 });
    const release = blockThreadPool();
    const error = await one.failure().finally(release);
    expect([error.code, error.mayFailOpen('unavailable')]).toEqual(['server_overloaded', false]);
  });

  test('with failover: whichever provider is tried, nothing fails open', async () => {
    const silent = await startHostileProvider(undefined, () => {});
    setup.closing.add(() => silent.close());
    const { url } = await provider(undefined);
    const one = client(`https://127.0.0.1:${silent.port}`, {
      failover_service_urls: [url],
      call_timeout_ms: 1000,
      connection_timeout_ms: 400,
    });
    const error = await underStalls(one.failure(), 200);
    expect(error.mayFailOpen('unavailable')).toBe(false);
    expect(knownProviders(one.runtime).map(({ circuit }) => circuit)).toEqual(['closed', 'closed']);
  });
});

test('by a tenth of its time a call may be late, and the provider is still to blame', async () => {
  const { url } = await provider(undefined);
  let late = 0;
  const runtime = new SidebandRuntime({ ...PUNCTUAL_CLOCK, lag: () => late });
  setup.closing.add(() => runtime.close());
  const one = testClient(
    { service_url: url, ca_certificate: setup.authority.cert, call_timeout_ms: 300 },
    { runtime },
  );
  const first = one.failure();
  late += 20;
  expect(await first).toMatchObject({ code: 'provider_timeout', failOpenScope: 'unavailable' });
  const second = one.failure();
  late += 300;
  expect(await second).toMatchObject({ code: 'server_overloaded', failOpenScope: undefined });
});
