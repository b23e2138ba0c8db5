import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fault, Faults } from './fault-hosts.js';
import { mpFaultHost } from './mp-faults.js';
import { pbFaultHost } from './pb-faults.js';
import { replay } from './recording-client.js';
import { type PlayedCase, Rig } from './rig.js';

/** A server that no longer answers, as recorded with a short lua_socket_read_timeout: 500, or over MsgPack open. */

const CASES = [
  { protocol: 'pb', phase: 'access', name: 'announce_50MB', status: 500, upstream: 0 },
  { protocol: 'pb', phase: 'response', name: 'announce_50MB', status: 500, upstream: 1 },
  { protocol: 'mp', phase: 'access', name: 'announce_4GB', status: 200, upstream: 1 },
  { protocol: 'mp', phase: 'response', name: 'announce_4GB', status: 200, upstream: 1 },
] as const;

const rigs = CASES.map(({ protocol, phase, name }) => {
  const one: PlayedCase = { key: 'frozen', variant: protocol === 'pb' ? 'br' : 'mr', script: {} };
  const faults = new Faults(new Map<string, Fault>([['frozen', { name, in: phase }]]));
  return new Rig([one], protocol === 'pb' ? pbFaultHost(faults) : mpFaultHost(faults));
});

beforeAll(() => Promise.all(rigs.map((rig) => rig.start({ nginx_http_lua_socket_read_timeout: '300ms' }))));
afterAll(() => Promise.all(rigs.map((rig) => rig.stop())));

test.each(CASES.map((one, i) => ({ ...one, rig: rigs[i] })))('$protocol in $phase: $status', async (one) => {
  const { rig } = one;
  if (rig === undefined) throw new Error('no rig');
  const names = rig.names('frozen');
  const seen = rig.upstream.expect(names);
  const request = { sent: ['GET / HTTP/1.1\r\nHost: HOST.test\r\n\r\n'] };
  const client = await replay(request, rig.target, names, undefined);
  expect(client.responses?.[0]?.status).toMatch(`HTTP/1.1 ${one.status}`);
  expect(seen).toHaveLength(one.upstream);
});
