import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { frame } from '../../dev/kong-connection/frames.js';
import type { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import {
  eventCall,
  intMessage,
  readExit,
  structMessage,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import { freePort } from '../../dev/listen.js';
import { temporaryFolder } from '../pluginserver/probe-server.js';
import { ServerProcess } from '../pluginserver/server-process.js';
import { builtPluginServer } from '../support/built-plugin-server.js';

const MIB = 1024 * 1024;
const BUDGET = 8 * MIB;
const RESPONSES = 60;
/** A ByteString looks like a String. */
const BODY = frame(textMessage(Buffer.alloc(6 * MIB, 'x')));
/** Node's own (24 takes more than 20), the code, and what the sockets hold; all the responses are 360. */
const BESIDES = 240 * MIB;
const CONFIG = {
  service_url: 'http://127.0.0.1:9',
  shared_secret: 'reply-budget',
  secret_header_name: 'CLIENT-TOKEN',
};

test('sixty large responses that arrive at once take no more memory than there is for them', async () => {
  const socket = join(temporaryFolder(), 's');
  const server = new ServerProcess(
    await builtPluginServer(),
    socket,
    ...['--max-inflight-bytes', String(BUDGET), '--log-level', 'info'],
  );
  await server.logged('started');
  const id = await (await server.connect()).start('ping-auth', CONFIG);
  const kongs = await Promise.all(Array.from({ length: RESPONSES }, () => responseUntilLastByte(server, id)));
  const statuses = await Promise.all(kongs.map(finish));
  expect(statuses.every((status) => status >= 500)).toBe(true);
  expect(statuses.filter((status) => status === 503).length).toBeGreaterThan(RESPONSES / 2);
  expect(peakBytes(server.child.pid ?? 0)).toBeLessThan(BUDGET + BESIDES);
});

test('the gauge shows what is in work', async () => {
  const socket = join(temporaryFolder(), 's');
  const port = await freePort();
  const server = new ServerProcess(await builtPluginServer(), socket, ...['--admin', `127.0.0.1:${port}`]);
  await server.logged('started');
  const gauge = async () => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^ping_auth_inflight_bytes (\d+)$/m.exec(text)?.[1]);
  };
  await vi.waitFor(async () => expect(await gauge()).toBe(0), 5000);
  const id = await (await server.connect()).start('ping-auth', CONFIG);
  const kong = await responseUntilLastByte(server, id);
  await vi.waitFor(async () => expect(await gauge()).toBe(BODY.length - 4), 5000);
  await finish(kong);
  await vi.waitFor(async () => expect(await gauge()).toBe(0), 5000);
});

/** An event of the response phase, with all of the upstream's body but its last byte on the wire. */
async function responseUntilLastByte(server: ServerProcess, id: number): Promise<KongConnection> {
  const kong = await server.connect();
  kong.send(eventCall(7, id, 'response'));
  for (let part = 0; part < 8; part += 1) await kong.next();
  kong.send(intMessage(200), structMessage({ 'content-type': 'text/plain' }));
  await new Promise<void>((resolve) => kong.socket.write(BODY.subarray(0, -1), () => resolve()));
  return kong;
}

/** Sends the rest, answers what is still asked, and gives the status of the exit. */
async function finish(kong: KongConnection): Promise<number> {
  kong.socket.write(BODY.subarray(-1));
  kong.send('');
  for (;;) {
    const call = await kong.nextCall();
    if (call.method === '') return 0;
    if (call.method === 'kong.response.exit') return readExit(call).status;
    kong.send(call.method === 'kong.response.get_headers' ? structMessage({ 'x-up': '1' }) : '');
  }
}

/** The most that the process ever had in memory. */
function peakBytes(pid: number): number {
  const [, kilobytes = '0'] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}
