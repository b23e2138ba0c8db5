import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { frame } from '../../dev/kong-connection/frames.js';
import {
  eventCall,
  instanceCall,
  readSequence,
  startCall,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import { type Probe, probe, probeModule } from './probe-server.js';

const echo = probeModule({
  async access(kong) {
    await kong.service.request.setHeader('X', await kong.request.getMethod());
  },
});

/** Another connection works, and the log tells of the bad one in one line. */
async function expectHarmless({ connect, log }: Probe): Promise<void> {
  const kong = await connect();
  const id = await kong.start('probe');
  expect(await kong.event(id, 'access', () => textMessage('GET'))).toMatchObject({ end: 'returned' });
  expect(log.filter(({ level }) => level !== 'debug')).toMatchObject([{ level: 'warn', event: 'bad_frame' }]);
}

describe('calls about plugins and instances', () => {
  test('a recorded StartInstance of Kong 3.9.3 (fields in reverse order) starts an instance', async () => {
    const configs: unknown[] = [];
    const module = { ...probeModule({}, (config) => configs.push(config)), Name: 'rich-pb' };
    const { connect } = await probe(module);
    const kong = await connect();
    const recorded =
      'igLqAgoHcmljaC1wYhLeAnsicmVjIjp7ImEiOiJ4In0sIl9fcGx1Z2luX2lkIjoiY2ZhMjdlMWItOThmMC01NzU4LTk3NjEtNDQ5YjVhYmRmNjExIiwic19kZWZhdWx0IjoiZGZsdCIsInNfcmVxdWlyZWQiOiJnbG9iYWwiLCJpX2RlZmF1bHQiOjMsImJfZGVmYXVsdF9mYWxzZSI6ZmFsc2UsImFycl9kZWZhdWx0X2VtcHR5IjpbXSwibWFwX2RlZmF1bHRfZW1wdHkiOnt9LCJyZWNfcmVxdWlyZWQiOnsiYSI6IngifSwiX193c19pZCI6IjBkYzZmNDViLThmOGQtNDBkMi1hNTA0LTQ3MzU0NGVlMTkwYiIsIl9fa2V5X18iOiJwbHVnaW5zOnJpY2gtcGI6Ojo6OjBkYzZmNDViLThmOGQtNDBkMi1hNTA0LTQ3MzU0NGVlMTkwYiIsIl9fc2VxX18iOjN9CAI=';
    kong.send(Buffer.from(recorded, 'base64'));
    expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(2);
    expect(configs).toMatchObject([{ s_required: 'global', __seq__: 3, rec: { a: 'x' } }]);
  });

  test('a closed instance is unknown from then on', async () => {
    const { connect } = await probe(echo);
    const kong = await connect();
    const id = await kong.start('probe');
    kong.send(instanceCall(6, 35, id));
    expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(6);
    expect(await kong.event(id, 'access')).toMatchObject({ end: 'closed', calls: [] });
  });

  test('commands that Kong never sends close the connection', async () => {
    for (const command of [31, 32, 34]) {
      const server = await probe(echo);
      const kong = await server.connect();
      kong.send(instanceCall(5, command, 1));
      expect(await kong.next()).toBeUndefined();
      await expectHarmless(server);
    }
  });

  test('closing an unknown instance is answered', async () => {
    const { connect } = await probe(echo);
    const kong = await connect();
    kong.send(instanceCall(6, 35, 12345));
    expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(6);
  });

  test('an instance of a plugin that is not here closes the connection', async () => {
    const { connect } = await probe(echo);
    const kong = await connect();
    kong.send(startCall(1, 'other', {}));
    expect(await kong.next()).toBeUndefined();
  });
});

test('an event is served however its bytes are cut', async () => {
  const { connect } = await probe(echo);
  const first = await connect();
  const id = await first.start('probe');
  const bytes = frame(eventCall(3, id, 'access'));
  const reply = frame(textMessage('GET'));
  for (let cut = 1; cut < bytes.length; cut++) {
    const kong = await connect();
    kong.socket.setNoDelay(true);
    kong.socket.write(bytes.subarray(0, cut));
    await new Promise(setImmediate);
    kong.socket.write(bytes.subarray(cut));
    expect(String(await kong.next())).toBe('kong.request.get_method');
    await kong.next();
    const at = Math.min(cut, reply.length - 1);
    kong.socket.write(reply.subarray(0, at));
    await new Promise(setImmediate);
    kong.socket.write(reply.subarray(at));
    expect(String(await kong.next())).toBe('kong.service.request.set_header');
    kong.destroy();
  }
});

describe('what Kong may not send ends that connection with one line and harms no other', () => {
  test.each([
    ['an announcement of 4 GB', Buffer.from([0xff, 0xff, 0xff, 0xff])],
    ['an announcement over the limit', Buffer.from([0x01, 0x00, 0x10, 0x00])],
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n')],
    ['an empty frame', Buffer.alloc(4)],
    ['a frame that is no message', frame(Buffer.alloc(20, 0xff))],
    ['a call without a command', frame(Buffer.from('0801', 'hex'))],
    ['a command cut off', frame(Buffer.from('0801a202ff', 'hex'))],
    ['a sequence out of range', frame(Buffer.from('08ffffffffffffffff7fa20200', 'hex'))],
  ])('%s', async (_name, bytes) => {
    const server = await probe(echo, { maxFrameBytes: 1 << 20 });
    const bad = await server.connect();
    bad.socket.write(bytes);
    expect(await bad.next()).toBeUndefined();
    await expectHarmless(server);
  });

  test('a stream that ends within a frame', async () => {
    const server = await probe(echo);
    const bad = await server.connect();
    bad.socket.end(Buffer.from([9, 0, 0, 0, 1]));
    await bad.closes();
    await vi.waitFor(() =>
      expect(server.log).toContainEqual(expect.objectContaining({ event: 'bad_frame' })),
    );
    await expectHarmless(server);
  });

  test('a frame while an event owes Kong the next word', async () => {
    const server = await probe(
      probeModule({
        access: async (kong) => {
          if ((await kong.request.getMethod()) === 'GET') return;
          await new Promise(() => {});
        },
      }),
    );
    const bad = await server.connect();
    const id = await bad.start('probe');
    bad.send(eventCall(1, id, 'access'));
    await bad.next();
    await bad.next();
    bad.send(textMessage('POST'), textMessage('one too many'));
    await bad.closes();
    await expectHarmless(server);
  });
});

describe('replies of Kong that are not what they should be fail the call, not the connection', () => {
  test.each([
    ['unreadable', () => Buffer.from('0aff', 'hex'), 'ERR_PDK_REPLY'],
    ['over the frame limit', () => textMessage('x'.repeat(2000)), 'ERR_REPLY_TOO_LARGE'],
  ])('%s', async (_name, reply, code) => {
    const module = probeModule({
      async access(kong) {
        const result = await kong.request.getMethod().catch((error: { code: string }) => error.code);
        await kong.response.exit(500, result);
      },
    });
    const { connect } = await probe(module, { maxFrameBytes: 1000 });
    const kong = await connect();
    const { calls, end } = await kong.event(await kong.start('probe'), 'access', reply);
    expect(end).toBe('exit');
    expect(calls.at(-1)?.payload.toString()).toContain(code);
  });

  test('a reply over the limit passes by, later replies find their calls', async () => {
    const seen: unknown[] = [];
    const module = probeModule({
      async access(kong) {
        const big = kong.request.getRawBody().catch((error: { code: string }) => error.code);
        seen.push(await Promise.all([big, kong.request.getMethod()]));
      },
    });
    const { connect } = await probe(module, { maxFrameBytes: 1000 });
    const kong = await connect();
    const { end } = await kong.event(await kong.start('probe'), 'access', ({ method }) =>
      method === 'kong.request.get_raw_body' ? textMessage('x'.repeat(500_000)) : textMessage('PUT'),
    );
    expect(end).toBe('returned');
    expect(seen).toEqual([['ERR_REPLY_TOO_LARGE', 'PUT']]);
  });
});

test('fuzz: whatever bytes come, on a fresh connection or within an event, the server lives and lets nothing pass', async () => {
  const server = await probe(echo, { maxFrameBytes: 4096 });
  const good = await server.connect();
  const id = await good.start('probe');
  const valid = fc.constantFrom(
    frame(eventCall(2, id, 'access')),
    frame(startCall(1, 'probe', {})),
    frame(instanceCall(3, 34, id)),
    frame(textMessage('GET')),
    frame(''),
  );
  const wild = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
  const framed = wild.map((bytes) => frame(bytes));
  const mutated = fc.tuple(valid, fc.nat(60), fc.nat(255)).map(([bytes, at, value]) => {
    const copy = Buffer.from(bytes);
    copy[at % copy.length] = value;
    return copy;
  });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(valid, wild, framed, mutated), { maxLength: 6 }), async (pieces) => {
      const kong = await server.connect();
      kong.socket.write(Buffer.concat(pieces));
      kong.socket.end();
      await kong.closes();
    }),
    { seed: 5, numRuns: 300 },
  );
  expect(await good.event(id, 'access', () => textMessage('GET'))).toMatchObject({ end: 'returned' });
  const expected = ['call_failed', 'instance_failed', 'phase_failed', 'phase_missing', 'unknown_instance'];
  const errors = server.log.filter(({ level }) => level === 'error').map(({ event = '' }) => event);
  expect(expected).toEqual(expect.arrayContaining([...new Set(errors)]));
  expect(server.server.host.eventsInFlight).toBe(0);
});
