import { expect, test } from 'vitest';
import { eventCall, intMessage, readSequence, structMessage, textMessage } from './kong-side.js';
import { probe, probeModule } from './probe-server.js';

test('an event: calls go out in order, replies come back, an empty frame and the return end it', async () => {
  const seen: unknown[] = [];
  const module = probeModule({
    async access(kong) {
      seen.push(
        await Promise.all([kong.request.getMethod(), kong.request.get_headers(1000), kong.request.getPort()]),
      );
    },
  });
  const { connect } = await probe(module);
  const kong = await connect();
  const id = await kong.start('probe');
  const before = kong.chunks;
  const replies = [textMessage('GET'), structMessage({ host: 'a', 'x-dup': ['1', '2'] }), intMessage(8000)];
  kong.send(eventCall(9, id, 'access'));
  const frames = [];
  for (let i = 0; i < 6; i++) frames.push(String(await kong.next()));
  expect(kong.chunks - before).toBe(1);
  expect(frames).toEqual([
    'kong.request.get_method',
    '',
    'kong.request.get_headers',
    '\b\xe8\x07'.replace('\xe8', '\ufffd'),
    'kong.request.get_port',
    '',
  ]);
  kong.send(...replies);
  expect((await kong.next())?.length).toBe(0);
  expect(readSequence((await kong.next()) ?? Buffer.alloc(0))).toBe(9);
  expect(seen).toEqual([['GET', { host: 'a', 'x-dup': ['1', '2'] }, 8000]]);
});
