import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import {
  eventCall,
  type PdkCall,
  readExit,
  structMessage,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import { type AnyKong, probe, probeModule, temporaryFolder } from './probe-server.js';

const EXIT_500 = { status: 500, body: '{"message":"An unexpected error occurred"}' };

function lastExit(calls: readonly PdkCall[]): unknown {
  const call = calls.at(-1);
  return call === undefined ? undefined : readExit(call);
}

describe('a phase that fails never lets the request pass', () => {
  test.each<[string, (kong: AnyKong) => unknown]>([
    [
      'throws at once',
      () => {
        throw new Error('boom at /etc/secret');
      },
    ],
    [
      'throws later',
      async (kong) => {
        await kong.request.getMethod();
        throw new Error('boom');
      },
    ],
    [
      'throws no error at all',
      async () => {
        throw undefined;
      },
    ],
    [
      'throws between its calls',
      async (kong) => {
        void kong.request.getPath().catch(() => {});
        throw new Error('boom');
      },
    ],
    ['calls a method that Kong does not have', (kong) => kong.request.getForwardedPath()],
    ['calls with arguments that do not fit', (kong) => kong.response.setStatus('200')],
    ['exits with a status that is no number', (kong) => kong.response.exit('403')],
    ['calls kong.response.error, which Kong does not offer here', (kong) => kong.response.error(403)],
  ])('%s', async (_name, access) => {
    const { connect, log } = await probe(probeModule({ access }));
    const kong = await connect();
    const { calls, end } = await kong.event(await kong.start('probe'), 'access');
    expect(end).toBe('exit');
    expect(lastExit(calls)).toMatchObject(EXIT_500);
    expect(log.filter(({ level }) => level === 'error')).toHaveLength(1);
  });
});

test('a phase that the plugin does not have is refused', async () => {
  const { connect } = await probe(probeModule({ access() {} }));
  const kong = await connect();
  const { calls } = await kong.event(await kong.start('probe'), 'rewrite');
  expect(lastExit(calls)).toMatchObject(EXIT_500);
});

test('in the response phase the upstream headers are cleared before the error response', async () => {
  const module = probeModule({
    response() {
      throw new Error('boom');
    },
  });
  const { connect } = await probe(module);
  const kong = await connect();
  const upstream = structMessage({
    'set-cookie': ['a', 'b'],
    etag: 'x',
    'content-length': '5',
    connection: 'keep-alive',
  });
  const { calls } = await kong.event(await kong.start('probe'), 'response', ({ method }) =>
    method === 'kong.response.get_headers' ? upstream : '',
  );
  expect(calls.map(({ method, payload }) => [method, payload.subarray(2).toString()]).slice(1, -2)).toEqual([
    ['kong.response.clear_header', 'set-cookie'],
    ['kong.response.clear_header', 'etag'],
  ]);
  expect(lastExit(calls)).toMatchObject(EXIT_500);
});

test('more than 1000 upstream headers are cleared in several rounds', async () => {
  const module = probeModule({
    response() {
      throw new Error('boom');
    },
  });
  const { connect } = await probe(module);
  const kong = await connect();
  const names = new Set(Array.from({ length: 1500 }, (_, i) => `x-${i}`));
  const { calls } = await kong.event(await kong.start('probe'), 'response', ({ method, payload }) => {
    if (method === 'kong.response.clear_header') names.delete(payload.subarray(2).toString());
    if (method !== 'kong.response.get_headers') return '';
    return structMessage(Object.fromEntries([...names].slice(0, 1000).map((name) => [name, 'v'])));
  });
  expect(names.size).toBe(0);
  expect(lastExit(calls)).toMatchObject(EXIT_500);
});

test('when Kong does not name the upstream headers within 5 s the error response goes out without clearing them', async () => {
  let now = 0;
  const module = probeModule({
    response() {
      throw new Error('boom');
    },
  });
  const { connect } = await probe(module, { now: () => now });
  const kong = await connect();
  kong.send(eventCall(1, await kong.start('probe'), 'response'));
  expect(String(await kong.next())).toBe('kong.response.get_headers');
  await kong.next();
  now = 4_999;
  const other = await connect();
  await other.start('probe');
  expect(kong.chunks).toBe(2);
  now = 5_000;
  expect(String(await kong.next())).toBe('kong.log.err');
  await kong.next();
  expect(String(await kong.next())).toBe('kong.response.exit');
  expect(readExit({ payload: (await kong.next()) ?? Buffer.alloc(0) })).toMatchObject(EXIT_500);
});

test('an error after an exit changes nothing', async () => {
  const module = probeModule({
    async access(kong) {
      await kong.response.exit(403, 'policy');
      throw new Error('too late');
    },
  });
  const { connect } = await probe(module);
  const kong = await connect();
  const { calls } = await kong.event(await kong.start('probe'), 'access');
  expect(calls).toHaveLength(1);
  expect(lastExit(calls)).toMatchObject({ status: 403, body: 'policy' });
});

test('a stuck phase is refused when its time is up, and told', async () => {
  const reasons: unknown[] = [];
  const module = probeModule({
    access: (_kong, event) =>
      new Promise(() => event.signal.addEventListener('abort', () => reasons.push(event.signal.reason))),
  });
  const { connect, log } = await probe(module, { eventTimeoutMs: 30 });
  const kong = await connect();
  const { calls } = await kong.event(await kong.start('probe'), 'access');
  expect(lastExit(calls)).toMatchObject(EXIT_500);
  expect(reasons).toMatchObject([{ code: 'ERR_EVENT_OVER' }]);
  expect(log).toContainEqual(expect.objectContaining({ event: 'event_timeout' }));
});

test('a phase that waits for a reply of Kong that never comes is refused, too', async () => {
  const module = probeModule({ access: (kong) => kong.request.getMethod() });
  const { connect } = await probe(module, { eventTimeoutMs: 30 });
  const kong = await connect();
  kong.send(eventCall(1, await kong.start('probe'), 'access'));
  const methods = [];
  for (let i = 0; i < 6; i++) methods.push(String(await kong.next()));
  expect(methods.filter((_, i) => i % 2 === 0)).toEqual([
    'kong.request.get_method',
    'kong.log.err',
    'kong.response.exit',
  ]);
});

test('the plugin is told when Kong gives up, and its calls fail', async () => {
  let aborted: unknown;
  let failed: unknown;
  const module = probeModule({
    async access(kong, event) {
      event.signal.addEventListener('abort', () => {
        aborted = event.signal.reason;
      });
      failed = await kong.request.getMethod().catch((error: unknown) => error);
      await kong.response.exit(500);
    },
  });
  const { connect, server, log } = await probe(module);
  const kong = await connect();
  kong.send(eventCall(1, await kong.start('probe'), 'access'));
  await kong.next();
  expect(server.host.eventsInFlight).toBe(1);
  kong.destroy();
  await vi.waitFor(() => expect(server.host.eventsInFlight).toBe(0));
  expect(aborted).toMatchObject({ code: 'ERR_EVENT_OVER' });
  await vi.waitFor(() => expect(failed).toMatchObject({ code: 'ERR_EVENT_OVER' }));
  expect(log.filter(({ level }) => level === 'error')).toEqual([]);
});

test('the signal of an event that ended as it should is not aborted', async () => {
  let signal: AbortSignal | undefined;
  const { connect } = await probe(
    probeModule({
      access(_kong, event) {
        signal = event.signal;
      },
    }),
  );
  const kong = await connect();
  await kong.event(await kong.start('probe'), 'access');
  expect(signal?.aborted).toBe(false);
});

describe('too much at once', () => {
  test('events beyond --max-events get 503 at once, and work again afterwards', async () => {
    const releases: (() => void)[] = [];
    const module = probeModule({ access: () => new Promise<void>((resolve) => releases.push(resolve)) });
    const { connect, log } = await probe(module, { maxEvents: 2 });
    const kongs = await Promise.all([connect(), connect(), connect(), connect()]);
    const [first, second, third, fourth] = kongs as [
      (typeof kongs)[0],
      (typeof kongs)[0],
      (typeof kongs)[0],
      (typeof kongs)[0],
    ];
    const id = await first.start('probe');
    const running = [first?.event(id, 'access'), second?.event(id, 'access')];
    await vi.waitFor(() => expect(releases).toHaveLength(2));
    for (const kong of [third, fourth]) {
      const { calls } = await kong.event(id, 'access');
      expect(lastExit(calls)).toEqual(expect.objectContaining({ status: 503 }));
    }
    expect(log.filter(({ event }) => event === 'overload')).toHaveLength(1);
    for (const release of releases) release();
    for (const event of running) expect((await event)?.end).toBe('returned');
    const next = first?.event(id, 'access');
    await vi.waitFor(() => expect(releases).toHaveLength(3));
    releases[2]?.();
    expect((await next)?.end).toBe('returned');
  });

  test('with too many connections events get 503, never a close (Kong would repeat them without end)', async () => {
    const { connect } = await probe(probeModule({ access() {} }), { maxConnections: 1 });
    const first = await connect();
    const id = await first.start('probe');
    const second = await connect();
    expect(lastExit((await second.event(id, 'access')).calls)).toMatchObject({ status: 503 });
  });
});

describe('bodies', () => {
  const read = (max?: number): ReturnType<typeof probeModule> =>
    probeModule({
      async access(kong) {
        const body = await kong.request.getRawBody(max).catch((error: { code: string }) => error.code);
        await kong.ctx.shared.set('body', body);
      },
    });
  /** RawBodyResult.body_filepath */
  const inFile = (path: string) => (): Buffer =>
    Buffer.concat([Buffer.from([0x12, path.length]), Buffer.from(path)]);

  test('one that spilled to a file is read by the server', async () => {
    const { connect, folder } = await probe(read());
    mkdirSync(join(folder, 'client_body_temp'));
    writeFileSync(join(folder, 'client_body_temp', '0000000001'), Buffer.from([1, 2, 0xff]));
    const kong = await connect();
    const reply = inFile(join(folder, 'client_body_temp', '0000000001'));
    const { calls } = await kong.event(await kong.start('probe'), 'access', reply);
    expect(calls[1]?.payload.subarray(-3)).toEqual(Buffer.from([1, 2, 0xff]));
  });

  test.each([
    ['over the limit that the plugin gave', 4, 'x'.repeat(5), 'ERR_BODY_TOO_LARGE'],
    ['over the limit of the server', 0, 'x'.repeat(101), 'ERR_BODY_TOO_LARGE'],
    ['over the limit of the server, no argument', undefined, 'x'.repeat(101), 'ERR_BODY_TOO_LARGE'],
    ['at the limit that the plugin gave', 200, 'x'.repeat(200), 'x'.repeat(200)],
  ])('%s', async (_name, max, body, expected) => {
    const { connect, folder } = await probe(read(max), { maxBodyBytes: 100 });
    const file = join(folder, 'client_body_temp', '0000000001');
    mkdirSync(join(folder, 'client_body_temp'));
    writeFileSync(file, body);
    const kong = await connect();
    const id = await kong.start('probe');
    for (const reply of [inFile(file), () => textMessage(body)]) {
      const { calls } = await kong.event(id, 'access', reply);
      expect(calls[1]?.payload.toString()).toContain(expected);
    }
  });

  test('a symlink, and a file outside of the folders, are not read', async () => {
    const { connect, folder } = await probe(read());
    mkdirSync(join(folder, 'client_body_temp'));
    const real = join(folder, 'client_body_temp', '0000000001');
    const link = join(folder, 'client_body_temp', '0000000002');
    writeFileSync(real, 'secret');
    symlinkSync(real, link);
    const outside = join(temporaryFolder(), 'client_body_temp', '0000000003');
    mkdirSync(dirname(outside));
    writeFileSync(outside, 'secret');
    const kong = await connect();
    const id = await kong.start('probe');
    for (const path of [link, outside, '/etc/hostname']) {
      const { calls } = await kong.event(id, 'access', inFile(path));
      expect(calls[1]?.payload.toString()).toContain('ERR_BODY_PATH');
    }
  });

  test("Kong's own error becomes an error of the call", async () => {
    let seen: unknown;
    const { connect } = await probe(
      probeModule({
        access: async (kong) => {
          seen = await kong.request.getRawBody().catch(String);
        },
      }),
    );
    const kong = await connect();
    await kong.event(await kong.start('probe'), 'access', () => Buffer.from('\x1a\x04oops'));
    expect(seen).toMatch(/cannot read the request body: oops/);
  });
});
