import { afterEach, beforeAll, expect, test } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { type Authority, createAuthority, type Identity } from '../support/certificates.js';
import { response, startHostileProvider } from '../support/hostile-provider.js';
import { PERMIT, PUNCTUAL_CLOCK, REQUEST, testClient } from '../support/sideband-clients.js';

/** Answers count for the memory of the process while they arrive. */

let authority: Authority;
let identity: Identity;
const closing = new Closing();
beforeAll(async () => {
  authority = await createAuthority();
  identity = await authority.issueServer(['localhost', '127.0.0.1']);
});
afterEach(() => closing.close());

/** An answer that does not say how long it is. */
function inChunks(answer: object): string {
  const text = JSON.stringify(answer);
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  return `${head}${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;
}

async function clientOf(answer: object, form = (body: object) => response('200 OK', body)) {
  const server = await startHostileProvider(identity, (socket) => socket.write(form(answer)), 0);
  closing.add(() => server.close());
  const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
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

/** How much is reserved after each step. */
function accounting() {
  const held: number[] = [];
  const grow = (bytes: number) => void held.push((held.at(-1) ?? 0) + bytes);
  return { held, grow, shrink: (bytes: number) => grow(-bytes) };
}

test('the received bytes are reserved as they arrive, then the text and what is parsed from it', async () => {
  const small = accounting();
  await (await clientOf(PERMIT)).evaluateRequest(REQUEST, { memory: small });
  expect(small.held).toEqual([JSON.stringify(PERMIT).length]);

  const large = accounting();
  const { length } = JSON.stringify(LARGE);
  await (await clientOf(LARGE)).evaluateRequest(REQUEST, { memory: large });
  expect(large.held.length).toBeGreaterThan(4);
  expect(large.held.slice(-2)).toEqual([length, 3 * length]);
  expect(Math.max(...large.held)).toBe(3 * length);

  const unannounced = accounting();
  await (await clientOf(LARGE, inChunks)).evaluateRequest(REQUEST, { memory: unannounced });
  expect(unannounced.held.length).toBeGreaterThan(4);
  // Together, for a moment, with the pieces that it came in.
  expect(unannounced.held.slice(-3)).toEqual([2 * length, length, 3 * length]);
});

test('when that is too much, the call ends with why, and the provider is not to blame', async () => {
  const client = await clientOf(LARGE);
  const memory = {
    grow() {
      throw new PingAuthError('server_overloaded', { retryAfterSeconds: 1 });
    },
    shrink() {},
  };
  const overloaded = { code: 'server_overloaded', retryAfterSeconds: 1 };
  await expect(client.evaluateRequest(REQUEST, { memory })).rejects.toMatchObject(overloaded);
  // The circuit breaker would be open after one failure.
  expect((await client.evaluateRequest(REQUEST, {})).answer.kind).toBe('permit');
});
