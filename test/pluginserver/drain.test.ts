import { expect, test, vi } from 'vitest';
import { eventCall } from '../../dev/kong-connection/messages.js';
import { probe, probeModule } from './probe-server.js';

test('at the end idle connections are closed at once, an event in flight ends as it should', async () => {
  let release: () => void = () => {};
  const module = probeModule({
    async access(kong) {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      await kong.service.request.setHeader('X', 'done');
    },
  });
  const { connect, server } = await probe(module);
  const [idle, busy] = [await connect(), await connect()];
  const event = busy.event(await idle.start('probe'), 'access');
  await vi.waitFor(() => expect(server.host.eventsInFlight).toBe(1));
  const stopped = server.stop(10_000);
  await idle.closes();
  expect(busy.closed).toBe(false);
  release();
  expect(await event).toMatchObject({
    end: 'returned',
    calls: [{ method: 'kong.service.request.set_header' }],
  });
  await busy.closes();
  expect(await stopped).toBe(0);
});

test('a call on an idle connection is answered while the server begins to end', async () => {
  const { connect, server } = await probe(probeModule({ access() {} }));
  const [first, second] = [await connect(), await connect()];
  const id = await first.start('probe');
  const stopped = server.stop(10_000);
  await vi.waitFor(() => expect(server.host.draining).toBe(true), { interval: 1 });
  // Kong's 500, if it were not answered.
  expect(await second.start('probe')).toBeGreaterThan(0);
  expect(await first.event(id, 'access')).toMatchObject({ end: 'returned' });
  // Closed with the answer, so that Kong does not keep them.
  await Promise.all([first.closes(), second.closes()]);
  expect(await stopped).toBe(0);
});

test('an event that takes too long is cut off: its connection closes without an answer', async () => {
  const { connect, server } = await probe(probeModule({ access: () => new Promise(() => {}) }));
  const kong = await connect();
  const event = kong.event(await kong.start('probe'), 'access');
  await vi.waitFor(() => expect(server.host.eventsInFlight).toBe(1));
  expect(await server.stop(30)).toBe(1);
  expect(await event).toEqual({ calls: [], end: 'closed' });
});

test('a connection that waits for Kong after an exit does not hold up the end', async () => {
  const { connect, server } = await probe(probeModule({ access: (kong) => kong.response.exit(403) }));
  const kong = await connect();
  kong.send(eventCall(1, await kong.start('probe'), 'access'));
  await kong.next();
  const exitArguments = await kong.next();
  expect(exitArguments?.toString('hex')).toBe('089303');
  expect(await server.stop(10_000)).toBe(0);
});
