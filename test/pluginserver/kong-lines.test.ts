import { expect, test } from 'vitest';
import { textMessage } from '../../dev/kong-connection/messages.js';
import { probe, probeModule } from './probe-server.js';

/** Error responses of the server itself are in Kong's log: its default level hides the lines of a plugin server. */

const failing = probeModule({
  access() {
    throw new Error('boom');
  },
});

test('an error response of the server is logged through Kong first, twice a second', async () => {
  let now = 10_000;
  const { connect } = await probe(failing, { now: () => now });
  const errorResponse = async () => {
    const kong = await connect();
    const { calls } = await kong.event(await kong.start('probe'), 'access');
    return calls.map(({ method }) => method);
  };
  const said = ['kong.log.err', 'kong.response.exit'];
  expect([await errorResponse(), await errorResponse(), await errorResponse()]).toEqual([
    said,
    said,
    ['kong.response.exit'],
  ]);
  now = 11_000;
  expect(await errorResponse()).toEqual(said);
});

test('too many events are a warning, with what to do', async () => {
  const { connect } = await probe(failing, { maxEvents: 0 });
  const kong = await connect();
  const { calls } = await kong.event(await kong.start('probe'), 'access', () => textMessage(''));
  expect(calls.map(({ method }) => method)).toEqual(['kong.log.warn', 'kong.response.exit']);
  expect(String(calls[0]?.payload)).toContain('--max-events');
});
