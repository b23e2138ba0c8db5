import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { inParallel } from '../support/in-parallel.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

/** One client that sends bodies slowly or never must not take the service from the others. */

const MAX_EVENTS = 64;
const NEIGHBOURS = 20;
/** Long before the stalled uploads end (55 s), and generous for a busy machine. */
const SOON_MS = 20_000;

let rig: Rig;
const stalled: Socket[] = [];

beforeAll(async () => {
  rig = await startRig({
    host: 'ping-auth-pluginserver',
    pluginServerArgs: ['--max-events', String(MAX_EVENTS), '--no-warm-up'],
  });
  await rig.send({ path: '/' });
});
afterEach(() => {
  for (const socket of stalled.splice(0)) socket.destroy();
});
afterAll(() => rig?.close());

/** Sends the head of a request and one byte of its body, and leaves it at that. */
function stall(framing: string, beginning: string): void {
  const { hostname, port } = new URL(rig.kongUrl);
  const socket = connect(Number(port), hostname).on('error', () => {});
  socket.write(`POST /slow HTTP/1.1\r\nHost: api.example.com\r\n${framing}\r\n\r\n${beginning}`);
  socket.resume();
  stalled.push(socket);
}

async function expectGoodService(): Promise<void> {
  const startedAt = performance.now();
  const gets = await inParallel(4, NEIGHBOURS, () => rig.send({ path: '/others' }));
  const posts = await inParallel(4, NEIGHBOURS, () =>
    rig.send({
      method: 'POST',
      path: '/others',
      body: '{"a":1}',
      headers: [['Content-Type', 'application/json']],
    }),
  );
  expect([...gets, ...posts].map(({ status }) => status)).toEqual(Array(2 * NEIGHBOURS).fill(200));
  expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
}

it('lets neighbours through beside six announced bodies of 8 MiB of which one byte comes', async () => {
  for (let i = 0; i < 6; i++) stall('Content-Length: 8388608', 'x');
  await expectGoodService();
});

it('lets neighbours through beside as many endless chunked uploads as there may be events', async () => {
  for (let i = 0; i < MAX_EVENTS; i++) stall('Transfer-Encoding: chunked', '1\r\nx\r\n');
  await until('uploads beyond a quarter are refused', async () =>
    rig.log().includes('a quarter of --max-events'),
  );
  await expectGoodService();
});
