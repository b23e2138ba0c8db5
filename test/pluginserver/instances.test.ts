import { describe, expect, test } from 'vitest';
import { instanceCall, readExit } from '../../dev/kong-connection/messages.js';
import type { PhaseEvent } from '../../src/pluginserver/plugin-module.js';
import { probe, probeModule } from './probe-server.js';

test('every instance has the configuration that Kong gave it, and the host', async () => {
  const hosts: unknown[] = [];
  const module = probeModule({}, (_config, host) => hosts.push(host));
  class Plugin {
    constructor(readonly config: { mark: string }) {}
    async access(kong: import('./probe-server.js').AnyKong): Promise<void> {
      await kong.service.request.setHeader('X', this.config.mark);
    }
  }
  const { connect } = await probe({ ...module, Plugin });
  const kong = await connect();
  const a = await kong.start('probe', { mark: 'aaa' });
  const b = await kong.start('probe', { mark: 'bbb' });
  for (const [id, mark] of [
    [a, 'aaa'],
    [b, 'bbb'],
    [a, 'aaa'],
  ] as const) {
    const { calls } = await kong.event(id, 'access');
    expect(calls[0]?.payload.toString()).toContain(mark);
  }
  const { connect: other } = await probe(module);
  await (await other()).start('probe');
  expect(hosts).toEqual([{ kind: 'ping-auth-pluginserver', restartsInstances: true }]);
});

describe('an instance whose configuration is unusable refuses every request', () => {
  test.each([
    [
      'its constructor throws',
      '{"secret":"s3cret"}',
      () => {
        throw new Error('shared_secret is empty');
      },
    ],
    ['its configuration is no JSON', '{"secret":"s3cret"', () => {}],
  ])('%s', async (_name, config, construct) => {
    const { connect, log } = await probe(probeModule({ access() {}, response() {} }, construct));
    const kong = await connect();
    const id = await kong.start('probe', config);
    for (const phase of ['access', 'access', 'response']) {
      const again = await connect();
      const { calls, end } = await again.event(id, phase);
      expect(end).toBe('exit');
      expect(calls.map(readExit).at(-1)).toMatchObject({ status: 500 });
    }
    const errors = log.filter(({ level }) => level === 'error');
    expect(errors).toMatchObject([{ event: 'instance_failed' }]);
    expect(JSON.stringify(log)).not.toContain('s3cret');
  });
});

describe('an instance of an earlier life', () => {
  test('closes the connection silently, for each request that was under way', async () => {
    const { connect, log } = await probe(probeModule({ access() {} }));
    for (let i = 0; i < 3; i++) {
      const kong = await connect();
      expect(await kong.event(4711, 'access')).toEqual({ calls: [], end: 'closed' });
    }
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('so does an event for which Kong names no instance', async () => {
    const { connect } = await probe(probeModule({ access() {} }));
    for (let i = 0; i < 3; i++) {
      const kong = await connect();
      expect(await kong.event(0, 'access')).toEqual({ calls: [], end: 'closed' });
    }
  });

  test('two lives have no id in common', async () => {
    const module = probeModule({ access() {} });
    const ids: number[] = [];
    for (let life = 0; life < 2; life++) {
      const kong = await (await probe(module)).connect();
      for (let i = 0; i < 50; i++) ids.push(await kong.start('probe', { life, i }));
    }
    expect(new Set(ids).size).toBe(100);
  });
});

describe('a plugin that asks for a new start of its instance', () => {
  const restart = async (event: PhaseEvent): Promise<boolean> => {
    const granted = await event.requestRestart();
    if (!granted) throw new Error('the secret was refused');
    return granted;
  };
  const config = { __key__: 'plugins:probe:r1' };

  test('gets its connection closed without an answer and the instance dropped; the next one has to wait', async () => {
    const allowed: boolean[] = [];
    const module = probeModule({
      async access(kong, event) {
        await kong.request.getMethod();
        allowed.push(await event.requestRestart());
        if (!allowed.at(-1)) throw new Error('the secret was refused');
      },
    });
    const { connect } = await probe(module);
    const kong = await connect();
    const stale = await kong.start('probe', config);
    expect(await kong.event(stale, 'access')).toMatchObject({ end: 'closed', calls: [{}] });
    // What Kong does then: the old id is unknown now, the new instance is fresh.
    expect(await (await connect()).event(stale, 'access')).toEqual({ calls: [], end: 'closed' });
    const next = await connect();
    const fresh = await next.start('probe', { ...config, secret: 'new' });
    expect(fresh).not.toBe(stale);
    const { calls, end } = await next.event(fresh, 'access');
    expect(end).toBe('exit');
    expect(calls.map(readExit).at(-1)).toMatchObject({ status: 500 });
    expect(allowed).toEqual([true, false]);
  });

  test('and is not granted one ends the event itself', async () => {
    const told: boolean[] = [];
    const module = probeModule({
      async access(_kong, event) {
        told.push(await event.requestRestart());
      },
    });
    const { connect } = await probe(module);
    const ends: string[] = [];
    for (const kong of [await connect(), await connect()])
      ends.push((await kong.event(await kong.start('probe', config), 'access')).end);
    expect(told).toEqual([true, false]);
    expect(ends).toEqual(['closed', 'returned']);
  });

  test('of several requests on one instance only the first one is repeated', async () => {
    const gate: (() => void)[] = [];
    const module = probeModule({
      async access(_kong, event) {
        await new Promise<void>((resolve) => gate.push(resolve));
        await restart(event);
      },
    });
    const { connect } = await probe(module);
    const kongs = await Promise.all([connect(), connect(), connect()]);
    const id = await kongs[0].start('probe', config);
    const events = kongs.map((kong) => kong.event(id, 'access'));
    while (gate.length < 3) await new Promise(setImmediate);
    for (const open of gate) open();
    const ends = (await Promise.all(events)).map(({ end }) => end);
    expect(ends.toSorted()).toEqual(['closed', 'exit', 'exit']);
  });

  test('waits for the replies that Kong owes, so that Kong sees a clean end and not a broken connection', async () => {
    const module = probeModule({
      async access(kong, event) {
        kong.request.getMethod().catch(() => {});
        await restart(event);
      },
    });
    const { connect } = await probe(module);
    const kong = await connect();
    const errors: unknown[] = [];
    kong.socket.on('error', (error) => errors.push(error));
    expect(await kong.event(await kong.start('probe', config), 'access')).toMatchObject({
      end: 'closed',
      calls: [{}],
    });
    expect(errors).toEqual([]);
  });
});

test('a plugin with a close method is told when its instance is closed and its last event is over', async () => {
  const told: string[] = [];
  let release: () => void = () => {};
  class Plugin {
    async access(): Promise<void> {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      told.push('event over');
    }
    close(): void {
      told.push('closed');
    }
  }
  const { connect, server } = await probe({ ...probeModule({}), Plugin });
  const kong = await connect();
  const id = await kong.start('probe');
  const event = kong.event(id, 'access');
  while (server.host.eventsInFlight === 0) await new Promise(setImmediate);
  const other = await connect();
  other.send(instanceCall(2, 35, id));
  await other.next();
  release();
  expect((await event).end).toBe('returned');
  while (told.length < 2) await new Promise(setImmediate);
  expect(told).toEqual(['event over', 'closed']);
});
