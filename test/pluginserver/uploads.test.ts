import { expect, test, vi } from 'vitest';
import type { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import { eventCall, readExit, textMessage } from '../../dev/kong-connection/messages.js';
import { probe, probeModule } from './probe-server.js';

/** Requests whose bodies arrive slowly or never: Kong waits for them inside of a call, and the event stays open all that time. */

const MAX_EVENTS = 8;
const QUARTER = 2;
const LARGE = 50 * 1024 * 1024;

const reader = probeModule({
  async access(kong) {
    try {
      if ((await kong.request.getMethod()) !== 'POST') return;
      await kong.response.exit(200, String((await kong.request.getRawBody()).length));
    } catch (error) {
      await kong.response.exit(503, String(Reflect.get(error as object, 'code')));
    }
  },
});

/** Starts an event with a body that Kong has not received yet. */
async function upload(kong: KongConnection, id: number): Promise<void> {
  kong.send(eventCall(7, id, 'access'));
  await kong.nextCall();
  kong.send(textMessage('POST'));
  expect((await kong.nextCall()).method).toBe('kong.request.get_raw_body');
}

test('may be a quarter of the events; others are refused when their body does not come at once, all others are served', async () => {
  const { connect, server, log } = await probe(reader, { maxEvents: MAX_EVENTS });
  const kongs = await Promise.all(Array.from({ length: MAX_EVENTS }, connect));
  const id = (await kongs[0]?.start('probe')) ?? 0;
  for (const kong of kongs) await upload(kong, id);
  // As many as there may be events, and none of the others is refused even now.
  const bodiless = await connect();
  expect(await bodiless.event(id, 'access', () => textMessage('GET'))).toMatchObject({ end: 'returned' });
  const late = kongs.slice(QUARTER);
  for (const kong of late)
    expect(readExit(await kong.nextCall())).toMatchObject({ status: 503, body: 'ERR_TOO_MANY_UPLOADS' });
  expect(server.host.eventsInFlight).toBe(QUARTER);
  expect(log.filter(({ event }) => event === 'uploads')).toHaveLength(1);

  const other = await connect();
  expect(await other.event(id, 'access', () => textMessage('GET'))).toMatchObject({ end: 'returned' });
  const quick = await connect();
  await upload(quick, id);
  quick.send(textMessage('abc'));
  expect(readExit(await quick.nextCall())).toMatchObject({ status: 200, body: '3' });

  // The ones that were let in may take their time.
  const [first] = kongs;
  first?.send(textMessage('abcd'));
  expect(readExit(await (first as KongConnection).nextCall())).toMatchObject({ status: 200, body: '4' });
  for (const kong of kongs) kong.destroy();
  await vi.waitFor(() => expect(server.host.eventsInFlight).toBe(0));
  const again = await connect();
  await upload(again, id);
  again.send(textMessage('x'));
  expect(readExit(await again.nextCall())).toMatchObject({ status: 200, body: '1' });
});

test('a large body that comes after its event was refused is not kept in memory', async () => {
  const { connect } = await probe(reader, { maxEvents: 4 });
  const [holding, late, after] = [await connect(), await connect(), await connect()];
  const id = await holding.start('probe');
  await upload(holding, id);
  await upload(late, id);
  expect(readExit(await late.nextCall())).toMatchObject({ status: 503 });
  const before = process.memoryUsage().arrayBuffers;
  const beginning = Buffer.alloc(100);
  beginning.writeUInt32LE(LARGE);
  await new Promise<void>((resolve) => late.socket.write(beginning, () => resolve()));
  // What the server does with these bytes it has done when it answers on another connection.
  await after.start('probe');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(LARGE);
});
