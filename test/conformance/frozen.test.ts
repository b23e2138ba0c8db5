import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fault, Faults } from './fault-hosts.js';
import { mpFaultHost } from './mp-faults.js';
import { pbFaultHost } from './pb-faults.js';
import { type PlayedCase, ProbedKong } from './probed-kong.js';
import { replay } from './recording-client.js';

/**
 * A server that stops answering: what comes of it after lua_socket_read_timeout. Over MsgPack Kong lets the message pass if not a
 * single byte of the reply arrived ("no data"), and answers 500 if the reply had begun ("missing bytes").
 */

const CASES = [
  ...of('pb', ['silent', 'announce_50MB'], 500),
  ...of('mp', ['half_reply', 'announce_4GB'], 500),
  ...of('mp', ['silent'], 200),
];

function of(protocol: 'pb' | 'mp', names: readonly string[], status: number) {
  return names.flatMap((name) => [
    { protocol, name, phase: 'access', status, upstream: status === 200 ? 1 : 0 } as const,
    { protocol, name, phase: 'response', status, upstream: 1 } as const,
  ]);
}

const kongs = CASES.map(({ protocol, phase, name }) => {
  const one: PlayedCase = { key: 'frozen', variant: protocol === 'pb' ? 'br' : 'mr', script: {} };
  const faults = new Faults(new Map<string, Fault>([['frozen', { name, in: phase }]]));
  return new ProbedKong([one], protocol === 'pb' ? pbFaultHost(faults) : mpFaultHost(faults));
});

beforeAll(() =>
  Promise.all(kongs.map((kong) => kong.start({ nginx_http_lua_socket_read_timeout: '300ms' }))),
);
afterAll(() => Promise.all(kongs.map((kong) => kong.stop())));

test.each(CASES.map((one, i) => ({ ...one, kong: kongs[i] })))(
  '$protocol, $name in the $phase phase: $status',
  async (one) => {
    const { kong } = one;
    if (kong === undefined) throw new Error('no kong');
    const names = kong.names('frozen');
    const seen = kong.upstream.expect(names);
    const request = { sent: ['GET / HTTP/1.1\r\nHost: HOST.test\r\n\r\n'] };
    const client = await replay(request, kong.target, names, undefined);
    expect(client.responses?.[0]?.status).toMatch(`HTTP/1.1 ${one.status}`);
    expect(seen).toHaveLength(one.upstream);
  },
);
