import { expect, it } from 'vitest';
import { eventCall, readSequence, textMessage } from '../../dev/kong-connection/messages.js';
import { until } from '../support/until.js';
import { type AnyKong, probe, probeModule } from './probe-server.js';

it('ends an event without waiting for the replies to its last writes, and takes them in before the next call', async () => {
  const { connect } = await probe(
    probeModule({
      access: async (kong: AnyKong) => {
        const method = await kong.request.getMethod();
        await kong.service.request.setHeader('x-method', method);
        await new Promise((resolve) => setImmediate(resolve));
        await kong.ctx.shared.set('seen', method);
      },
    }),
  );
  const side = await connect();
  const id = await side.start('probe');
  for (const sequence of [3, 5]) {
    side.send(eventCall(sequence, id, 'access'));
    expect((await side.next())?.toString()).toBe('kong.request.get_method');
    await side.next();
    side.chunks = 0;
    side.send(textMessage('GET'));
    const calls: (string | undefined)[] = [];
    for (let frame = await side.next(); frame?.length !== 0; frame = await side.next()) {
      calls.push(frame?.toString('latin1'));
    }
    expect(calls.filter((_call, i) => i % 2 === 0)).toEqual([
      'kong.service.request.set_header',
      'kong.ctx.shared.set',
    ]);
    const end = await side.next();
    expect(end && readSequence(end)).toBe(sequence);
    // Writes and the end of the event wake Kong once, however long the plugin takes between them.
    expect(side.chunks).toBe(1);
    side.send('', '');
  }
});

it('does not end an event quietly when a write cannot be sent', async () => {
  const { connect } = await probe(
    probeModule({ access: (kong: AnyKong) => kong.service.request.setMethod(42) }),
  );
  const side = await connect();
  const { calls, end } = await side.event(await side.start('probe'), 'access');
  expect(end).toBe('exit');
  expect(calls.map(({ method }) => method)).toEqual(['kong.log.err', 'kong.response.exit']);
});

it('says so when Kong closes before it has carried out the last writes', async () => {
  const { connect, log } = await probe(
    probeModule({ access: (kong: AnyKong) => kong.service.request.setMethod('FOO') }),
  );
  const side = await connect();
  side.send(eventCall(3, await side.start('probe'), 'access'));
  for (let frame = await side.next(); frame?.length !== 0; frame = await side.next());
  side.destroy();
  await until('the loss is logged', () => log.some(({ event }) => event === 'last_calls_lost'));
});
