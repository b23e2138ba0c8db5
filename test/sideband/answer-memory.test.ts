import { afterEach, beforeAll, expect, test } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { type Authority, createAuthority, type Identity } from '../support/certificates.js';
import { response, startHostileProvider } from '../support/hostile-provider.js';
import { PERMIT, REQUEST, testClient } from '../support/sideband-clients.js';

/** Answers count for the memory of the process while they arrive. */

let authority: Authority;
let identity: Identity;
const closing = new Closing();
beforeAll(async () => {
  authority = await createAuthority();
  identity = await authority.issueServer(['localhost', '127.0.0.1']);
});
afterEach(() => closing.close());

async function clientOf(answer: object) {
  const server = await startHostileProvider(
    identity,
    (socket) => socket.write(response('200 OK', answer)),
    0,
  );
  closing.add(() => server.close());
  const runtime = new SidebandRuntime();
  closing.add(() => runtime.close());
  const config = {
    service_url: server.url,
    ca_certificate: authority.cert,
    call_timeout_ms: 2000,
    circuit_failures: 1,
  };
  return testClient(config, { runtime });
}

const LARGE = { ...PERMIT, body: 'x'.repeat(1_000_000) };

test('the caller is told how large an answer has become, and of a small one nothing', async () => {
  const sizes: number[] = [];
  const holdAnswer = (bytes: number) => void sizes.push(bytes);
  await (await clientOf(PERMIT)).askAboutRequest(REQUEST, { holdAnswer });
  expect(sizes).toEqual([]);
  await (await clientOf(LARGE)).askAboutRequest(REQUEST, { holdAnswer });
  expect(sizes.length).toBeGreaterThan(1);
  expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  expect(sizes.at(-1)).toBe(JSON.stringify(LARGE).length);
});

test('when that is too much, the call ends with why, and the provider is not to blame', async () => {
  const client = await clientOf(LARGE);
  const holdAnswer = () => {
    throw new PingAuthError('server_overloaded', { retryAfterSeconds: 1 });
  };
  const overloaded = { code: 'server_overloaded', retryAfterSeconds: 1 };
  await expect(client.askAboutRequest(REQUEST, { holdAnswer })).rejects.toMatchObject(overloaded);
  // The circuit would be open after one failure.
  expect((await client.askAboutRequest(REQUEST, {})).answer.kind).toBe('permit');
});
