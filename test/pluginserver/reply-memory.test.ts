import { describe, expect, test, vi } from 'vitest';
import { frame } from '../../dev/kong-connection/frames.js';
import type { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import { eventCall, readExit, structMessage, textMessage } from '../../dev/kong-connection/messages.js';
import type { SharedMemory } from '../../src/pluginserver/options.js';
import { probe, probeModule } from './probe-server.js';

/** Memory for large replies of Kong while they arrive: many connections at once must not take as much as they like. */

const LARGE = 1_000_000;
const LARGE_REPLY = frame(textMessage('x'.repeat(LARGE)));

function memoryOf(limit: number): SharedMemory & { held: number } {
  return {
    held: 0,
    reserve(bytes) {
      if (this.held + bytes > limit) return false;
      this.held += bytes;
      return true;
    },
    hold(bytes) {
      this.held += bytes;
    },
    giveBack(bytes) {
      this.held -= bytes;
    },
  };
}

const reader = probeModule({
  async access(kong) {
    try {
      const method: string = await kong.request.getMethod();
      await kong.response.exit(200, String(method.length));
    } catch (error) {
      await kong.response.exit(503, String(Reflect.get(error as object, 'code')));
    }
  },
});

/** Begins an event, and sends all of the large reply but its last byte. */
async function nearlyReplied(kong: KongConnection, id: number): Promise<void> {
  kong.send(eventCall(7, id, 'access'));
  await kong.next();
  await kong.next();
  await new Promise<void>((resolve) => kong.socket.write(LARGE_REPLY.subarray(0, -1), () => resolve()));
}

async function exitOf(kong: KongConnection): Promise<{ status: number; body: string }> {
  const call = await kong.nextCall();
  expect(call.method).toBe('kong.response.exit');
  const { status, body } = readExit(call);
  return { status, body };
}

describe('large replies while they arrive', () => {
  test('are counted, and passed by unread when there is no memory for them; the event continues', async () => {
    const memory = memoryOf(2 * LARGE_REPLY.length);
    const { connect } = await probe(reader, { memory });
    const kongs = await Promise.all(Array.from({ length: 5 }, connect));
    const id = (await kongs[0]?.start('probe')) ?? 0;
    for (const kong of kongs) await nearlyReplied(kong, id);
    await vi.waitFor(() => expect(memory.held).toBe(2 * (LARGE_REPLY.length - 4)));
    for (const kong of kongs) kong.socket.write(LARGE_REPLY.subarray(-1));
    const answers = await Promise.all(kongs.map(exitOf));
    expect(answers.filter(({ status }) => status === 200)).toEqual(
      Array.from({ length: 2 }, () => ({ status: 200, body: String(LARGE) })),
    );
    expect(answers.filter(({ status }) => status === 503)).toEqual(
      Array.from({ length: 3 }, () => ({ status: 503, body: 'ERR_NO_MEMORY' })),
    );
    expect(memory.held).toBe(0);
  });

  test('are no longer counted when Kong goes away in the middle of one', async () => {
    const memory = memoryOf(LARGE_REPLY.length);
    const { connect } = await probe(reader, { memory });
    const kong = await connect();
    await nearlyReplied(kong, await kong.start('probe'));
    await vi.waitFor(() => expect(memory.held).toBeGreaterThan(0));
    kong.destroy();
    await vi.waitFor(() => expect(memory.held).toBe(0));
  });

  test('headers are taken in however little memory there is: an error response has to clear them', async () => {
    const failing = probeModule({
      response() {
        throw new Error('boom');
      },
    });
    const { connect } = await probe(failing, { memory: memoryOf(0) });
    const kong = await connect();
    const upstream = frame(structMessage({ 'set-cookie': 'x'.repeat(LARGE), etag: '1' }));
    kong.send(eventCall(7, await kong.start('probe'), 'response'));
    await kong.next();
    await kong.next();
    for (const part of [upstream.subarray(0, 1000), upstream.subarray(1000)])
      await new Promise<void>((resolve) => kong.socket.write(part, () => setImmediate(resolve)));
    const cleared: string[] = [];
    for (let method = ''; method !== 'kong.response.exit'; ) {
      const { payload, ...call } = await kong.nextCall();
      method = call.method;
      if (method === 'kong.response.clear_header') cleared.push(payload.subarray(2).toString());
      kong.send('');
    }
    expect(cleared).toEqual(['set-cookie', 'etag']);
  });

  test('a configuration is taken in however little memory there is', async () => {
    const { connect } = await probe(reader, { memory: memoryOf(0) });
    const kong = await connect();
    expect(await kong.start('probe', { ca_certificate: 'x'.repeat(LARGE) })).toBeGreaterThan(0);
  });
});

describe('what was sent to a Kong that does not take it', () => {
  const SENT = 8_000_000;
  const sender = probeModule({
    access: (kong) => kong.service.request.setRawBody(Buffer.alloc(SENT)),
  });

  async function begun(memory: SharedMemory & { held: number }): Promise<KongConnection> {
    const { connect } = await probe(sender, { memory });
    const kong = await connect();
    const id = await kong.start('probe');
    kong.socket.pause();
    kong.send(eventCall(7, id, 'access'));
    await vi.waitFor(() => expect(memory.held).toBeGreaterThan(SENT / 2));
    return kong;
  }

  test('is counted although its event is over, until Kong has taken it', async () => {
    const memory = memoryOf(0);
    const kong = await begun(memory);
    kong.socket.resume();
    await vi.waitFor(() => expect(memory.held).toBe(0));
  });

  test('is counted no longer when Kong goes away', async () => {
    const memory = memoryOf(0);
    const kong = await begun(memory);
    kong.destroy();
    await vi.waitFor(() => expect(memory.held).toBe(0));
  });
});
