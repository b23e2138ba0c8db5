import { expect, test, vi } from 'vitest';
import { eventCall, readSequence, textMessage } from '../../dev/kong-connection/messages.js';
import type { PhaseEvent } from '../../src/pluginserver/plugin-module.js';
import { readStruct, WireReader } from '../../src/pluginserver/wire-reader.js';
import { type AnyKong, probe, probeModule } from './probe-server.js';

// One connection serves one event after the other: what belongs to the first must never reach the second.

test('a kong object kept over its event sends nothing while the next event runs on the same connection', async () => {
  let kept: AnyKong;
  let keptRead: () => Promise<unknown> = async () => undefined;
  const errors: unknown[] = [];
  const { connect } = await probe(
    probeModule({
      access(kong) {
        kept = kong;
        keptRead = kong.request.getMethod;
      },
      async response(kong) {
        const fail = (error: unknown): void => void errors.push(error);
        const early = [keptRead().catch(fail), kept.service.request.setHeader('x-late', '1').catch(fail)];
        const status = kong.response.getStatus();
        await Promise.all([...early, kept.response.exit(200, 'not yours').catch(fail), status]);
        await kept.ctx.shared.get('state').catch(fail);
        await kong.response.setHeader('x-mine', '1');
        await kept.log.err('late').catch(fail);
      },
    }),
  );
  const side = await connect();
  const id = await side.start('probe');
  for (let round = 0; round < 3; round++) {
    expect(await side.event(id, 'access')).toMatchObject({ end: 'returned', calls: [] });
    const { calls, end } = await side.event(id, 'response', () => '', 9 + round);
    expect(end).toBe('returned');
    expect(calls.map(({ method }) => method)).toEqual([
      'kong.response.get_status',
      'kong.response.set_header',
    ]);
  }
  expect(errors).toHaveLength(15);
  for (const error of errors) expect(error).toMatchObject({ code: 'ERR_EVENT_OVER' });
});

test('late replies go to the event that asked, and never to the next one', async () => {
  const seen: Record<string, unknown> = {};
  const { connect } = await probe(
    probeModule({
      access(kong) {
        // Not waited for: the event returns first.
        void kong.request.getMethod().then((value: unknown) => {
          seen.first = value;
        });
        void kong.service.request.setHeader('x', '1');
      },
      async response(kong) {
        seen.second = await kong.request.getMethod();
      },
    }),
  );
  const side = await connect();
  const id = await side.start('probe');
  side.send(eventCall(3, id, 'access'));
  for (let frame = await side.next(); frame?.length !== 0; frame = await side.next()) {
    if (frame?.toString() === 'kong.request.get_method') await side.next();
  }
  expect(readSequence((await side.next()) ?? Buffer.alloc(0))).toBe(3);
  // Replies and the next event in one packet, as Kong may well send them.
  side.send(textMessage('FIRST'), '', eventCall(5, id, 'response'));
  expect((await side.next())?.toString()).toBe('kong.request.get_method');
  await side.next();
  side.send(textMessage('SECOND'));
  expect((await side.next())?.length).toBe(0);
  expect(readSequence((await side.next()) ?? Buffer.alloc(0))).toBe(5);
  expect(seen).toEqual({ first: 'FIRST', second: 'SECOND' });
});

test('what an argument does while it is read cannot mix two calls up', async () => {
  let kong: AnyKong;
  // Messages are written from their end: the getter runs when the second entry is there already.
  const sly = {
    first: {
      get inner() {
        void kong.ctx.shared.set('inner', 'i'.repeat(300));
        return '1';
      },
    },
    second: '2',
  };
  const { connect } = await probe(
    probeModule({
      async access(own) {
        kong = own;
        await kong.service.request.setHeaders(sly);
      },
    }),
  );
  const side = await connect();
  const { calls, end } = await side.event(await side.start('probe'), 'access');
  expect(end).toBe('returned');
  expect(calls.map(({ method }) => method)).toEqual([
    'kong.ctx.shared.set',
    'kong.service.request.set_headers',
  ]);
  expect(calls[0]?.payload.toString()).toContain('i'.repeat(300));
  const [, outer] = calls;
  expect(readStruct(new WireReader(outer?.payload))).toEqual({ first: { inner: '1' }, second: '2' });
});

test('both spellings and taken-off methods are the same calls; what Kong does not offer is refused by its name', async () => {
  const results: unknown[] = [];
  const { connect } = await probe(
    probeModule({
      async access({ request, nginx }) {
        const { getHeader, get_header } = request;
        results.push(getHeader === get_header, await getHeader('a'), await get_header('a'));
        results.push(await nginx.getVar('v'));
        results.push(await request.getForwardedPath().catch((error: Error) => error.message));
        results.push(await request.of.tomorrow().catch((error: Error) => error.message));
      },
    }),
  );
  const side = await connect();
  const { calls } = await side.event(await side.start('probe'), 'access', () => textMessage('v'));
  expect(calls.map(({ method }) => method)).toEqual([
    'kong.request.get_header',
    'kong.request.get_header',
    'kong.nginx.get_var',
  ]);
  expect(results).toEqual([
    false,
    'v',
    'v',
    'v',
    'kong.request.get_forwarded_path is not offered to plugins',
    'kong.request.of.tomorrow is not offered to plugins',
  ]);
});

test('who asked is told once that the event is over: when Kong gives up, and at once when it has', async () => {
  const told: string[] = [];
  let event: PhaseEvent | undefined;
  const { connect, server } = await probe(
    probeModule({
      async access(kong, given) {
        event = given;
        told.push(`over: ${given.over}`);
        given.onOver(() => told.push('replaced'));
        given.onOver(() => told.push('told'));
        await kong.request.getMethod();
      },
    }),
  );
  const side = await connect();
  side.send(eventCall(1, await side.start('probe'), 'access'));
  await side.next();
  side.destroy();
  await vi.waitFor(() => expect(server.host.eventsInFlight).toBe(0));
  expect(event?.over).toBe(true);
  expect(event?.signal.aborted).toBe(true);
  event?.onOver(() => told.push('told at once'));
  expect(told).toEqual(['over: false', 'told', 'told at once']);
});

test('no listener is told of an event that ended with its phase, or who took the question back', async () => {
  const told: string[] = [];
  const events: PhaseEvent[] = [];
  const { connect, server } = await probe(
    probeModule({
      access(_kong, event) {
        events.push(event);
        event.onOver(() => told.push('access'));
      },
      async response(kong, event) {
        events.push(event);
        event.onOver(() => told.push('response'));
        event.onOver(undefined);
        await kong.response.getStatus();
      },
    }),
  );
  const side = await connect();
  const id = await side.start('probe');
  await side.event(id, 'access');
  side.send(eventCall(1, id, 'response'));
  await side.next();
  side.destroy();
  await vi.waitFor(() => expect(server.host.connections).toBe(0));
  expect(told).toEqual([]);
  expect(events.map(({ over }) => over)).toEqual([false, true]);
});

test('a listener that throws does not keep a stuck event from being refused', async () => {
  const { connect, log } = await probe(
    probeModule({
      access: (_kong, event) =>
        new Promise(() => {
          event.onOver(() => {
            throw new Error('in the listener');
          });
        }),
    }),
    { eventTimeoutMs: 20 },
  );
  const side = await connect();
  expect((await side.event(await side.start('probe'), 'access')).end).toBe('exit');
  expect(log.map(({ event }) => event)).toEqual(expect.arrayContaining(['event_timeout', 'listener_failed']));
});
