import { expect, test } from 'vitest';
import type { EventResult, Reply } from '../../dev/kong-connection/kong-connection.js';
import {
  eventCall,
  intMessage,
  readExit,
  readSequence,
  structMessage,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import { type PhaseFunction, probe, probeModule } from './probe-server.js';

/** Runs one access event of a plugin against a Kong that answers with `reply`. */
async function access(phase: PhaseFunction, reply: Reply = () => ''): Promise<EventResult> {
  const { connect } = await probe(probeModule({ access: phase }));
  const kong = await connect();
  return kong.event(await kong.start('probe'), 'access', reply);
}

test('calls made together go out in one write, replies come back in order, empty frame and return end the event', async () => {
  const seen: unknown[] = [];
  const module = probeModule({
    async access(kong) {
      const calls = [kong.request.getMethod(), kong.request.get_headers(1000)];
      // Calls made by later promise callbacks of the same turn belong to the same write.
      await Promise.resolve();
      seen.push(await Promise.all([...calls, kong.request.getPort()]));
    },
  });
  const { connect } = await probe(module);
  const kong = await connect();
  const id = await kong.start('probe');
  const before = kong.chunks;
  kong.send(eventCall(9, id, 'access'));
  const frames: (string | undefined)[] = [];
  for (let i = 0; i < 6; i++) frames.push((await kong.next())?.toString('latin1'));
  expect(kong.chunks - before).toBe(1);
  expect(frames).toEqual([
    'kong.request.get_method',
    '',
    'kong.request.get_headers',
    '\x08\xe8\x07',
    'kong.request.get_port',
    '',
  ]);
  kong.send(textMessage('GET'), structMessage({ host: 'a', 'x-dup': ['1', '2'] }), intMessage(8000));
  expect((await kong.next())?.length).toBe(0);
  expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(9);
  expect(seen).toEqual([['GET', { host: 'a', 'x-dup': ['1', '2'] }, 8000]]);
});

test('a connection serves one event after the other', async () => {
  let events = 0;
  const { connect } = await probe(
    probeModule({
      access: async (kong) => {
        events++;
        await kong.ctx.shared.set('state', 'x');
      },
      response: () => events++,
    }),
  );
  const kong = await connect();
  const id = await kong.start('probe');
  for (let sequence = 10; sequence < 15; sequence++) {
    expect(await kong.event(id, 'access', undefined, sequence)).toMatchObject({ end: 'returned', sequence });
    expect(await kong.event(id, 'response', undefined, sequence)).toMatchObject({
      end: 'returned',
      calls: [],
    });
  }
  expect(events).toBe(10);
});

test('nothing follows an exit: no call, no empty frame, no return', async () => {
  const errors: unknown[] = [];
  const { connect } = await probe(
    probeModule({
      async access(kong) {
        await kong.response.exit(403, 'no', { 'X-A': ['1', '2'] });
        await kong.response.setHeader('X-After', '1').catch((error: unknown) => errors.push(error));
        await kong.response.exit(200, 'yes').catch((error: unknown) => errors.push(error));
      },
    }),
  );
  const kong = await connect();
  kong.send(eventCall(1, await kong.start('probe'), 'access'));
  expect(String(await kong.next())).toBe('kong.response.exit');
  const payload = (await kong.next()) ?? Buffer.alloc(0);
  expect(readExit({ payload })).toMatchObject({ status: 403, body: 'no' });
  // The second connection is served after the first one's turn: what the server wanted to add would be here by now.
  const second = await connect();
  await second.start('probe');
  expect(errors).toMatchObject([{ code: 'ERR_EVENT_OVER' }, { code: 'ERR_EVENT_OVER' }]);
  kong.socket.end();
  expect(await kong.next()).toBeUndefined();
});

test('a phase that does not wait for its calls is ended behind them, and the late replies find their calls', async () => {
  const values: unknown[] = [];
  const { connect } = await probe(
    probeModule({
      access(kong) {
        for (const name of ['a', 'b']) kong.ctx.shared.get(name).then((value: unknown) => values.push(value));
      },
    }),
  );
  const kong = await connect();
  const id = await kong.start('probe');
  kong.send(eventCall(3, id, 'access'));
  const frames: (string | undefined)[] = [];
  for (let i = 0; i < 5; i++) frames.push((await kong.next())?.toString('latin1'));
  expect(frames).toEqual(['kong.ctx.shared.get', '\n\x01a', 'kong.ctx.shared.get', '\n\x01b', '']);
  expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(3);
  kong.send(Buffer.from('\x1a\x01A'), Buffer.from('\x1a\x01B'));
  expect(await kong.event(id, 'nothing')).toMatchObject({ end: 'exit' });
  expect(values).toEqual(['A', 'B']);
});

test('the same calls in both spellings reach the same methods; arguments arrive as Kong wants them', async () => {
  const { calls } = await access(async (kong) => {
    await kong.service.request.setHeader('X-A', ['1', '2']);
    await kong.service.request.set_header('X-B', 'b');
    await kong.response.clearHeader('X-C');
    await kong.log.warn('a warn', 12, true);
    await kong.service.request.setRawBody(new Uint8Array([0, 255]));
    await kong.ctx.shared.set('k', 'v');
  });
  expect(calls.map(({ method, payload }) => [method, payload.toString('hex')])).toEqual([
    ['kong.service.request.set_header', '0a03582d41120c320a0a031a01310a031a0132'],
    ['kong.service.request.set_header', '0a03582d4212031a0162'],
    ['kong.response.clear_header', '0a03582d43'],
    ['kong.log.warn', '0a081a0661207761726e0a091100000000000028400a022001'],
    ['kong.service.request.set_raw_body', '0a0200ff'],
    ['kong.ctx.shared.set', '0a016b12031a0176'],
  ]);
});

test('absent, empty and nil strings are undefined; absent numbers are 0, bytes empty', async () => {
  const seen: unknown[] = [];
  await access(async (kong) => {
    seen.push(await kong.request.getHeader('absent'), await kong.request.getPort());
    seen.push(
      await kong.request.getHttpVersion(),
      await kong.ctx.shared.get('x'),
      await kong.request.getRawBody(),
    );
    seen.push(await kong.request.getHeaders(1000), await kong.service.response.getRawBody());
  });
  const empty = expect.objectContaining({ length: 0 });
  expect(seen).toEqual([undefined, 0, 0, undefined, empty, {}, empty]);
});

test('strings that are not UTF-8 pass through in both directions', async () => {
  const wild = Buffer.from('636166e920ff', 'hex');
  const { calls } = await access(
    async (kong) => kong.service.request.setHeader('X-Copy', await kong.request.getHeader('X-Wild')),
    () => textMessage(wild),
  );
  expect(calls[1]?.payload.subarray(-wild.length)).toEqual(wild);
});

test('5 MB pass through in both directions, in the body and as a string', async () => {
  const body = Buffer.alloc(5_000_000, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
  const requestContext = 'mémo '.repeat(900_000);
  const { calls, end } = await access(
    async (kong) => {
      const [bytes] = await Promise.all([
        kong.request.getRawBody(),
        kong.ctx.shared.set('m', requestContext),
      ]);
      await kong.service.request.setRawBody(bytes);
    },
    ({ method }) => (method === 'kong.request.get_raw_body' ? textMessage(body) : ''),
  );
  expect(end).toBe('returned');
  expect(
    calls[1]?.payload.subarray(-Buffer.byteLength(requestContext)).equals(Buffer.from(requestContext)),
  ).toBe(true);
  expect(calls[2]?.payload.subarray(-body.length).equals(body)).toBe(true);
});

test('many events at once on many connections are not mixed up', async () => {
  const { connect } = await probe(
    probeModule({
      async access(kong) {
        const name = await kong.request.getHeader('x');
        await kong.ctx.shared.set('k', name);
        await kong.service.request.setHeader('x', await kong.ctx.shared.get('k'));
      },
    }),
  );
  const run = async (worker: number): Promise<void> => {
    const kong = await connect();
    const id = await kong.start('probe');
    for (let i = 0; i < 25; i++) {
      const mark = `${worker}-${i}`;
      let kept: Buffer = Buffer.alloc(0);
      const { calls } = await kong.event(id, 'access', ({ method, payload }) => {
        if (method === 'kong.request.get_header') return textMessage(mark);
        if (method === 'kong.ctx.shared.set') kept = payload.subarray(5);
        return method === 'kong.ctx.shared.get' ? kept : '';
      });
      expect(calls.at(-1)?.payload.toString()).toContain(mark);
    }
  };
  await Promise.all(Array.from({ length: 40 }, (_, worker) => run(worker)));
});
