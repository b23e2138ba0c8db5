import { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { knownProviders } from '../../sideband/sideband-client.js';
import { KongEnd } from './kong-end.js';
import { warmUp } from './warm-up.js';

describe('the warm-up', () => {
  it('runs requests of both kinds of Kong to a permit', async () => {
    expect(await warmUp(() => true)).toBe(20);
  });

  it('ends as soon as Kong has something to do', async () => {
    let asked = 0;
    expect(await warmUp(() => asked++ < 4)).toBeLessThan(4);
    expect(await warmUp(() => false)).toBe(0);
  });

  it('leaves nothing behind: no provider, no connection, no timer', async () => {
    const count = () => {
      const counts = new Map<string, number>();
      for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
      return counts;
    };
    const before = count();
    await warmUp(() => true);
    // What others in this process had may end meanwhile.
    await expect
      .poll(() => [...count()].filter(([kind, number]) => number > (before.get(kind) ?? 0)))
      .toEqual([]);
    expect(knownProviders()).toEqual([]);
  });
});

describe("its Kong's end of a connection", () => {
  it.each([
    ['the server refuses', (server: Duplex) => server.push(frames('kong.response.exit', '')), 'refused'],
    ['the server closes', (server: Duplex) => server.destroy(), 'closed the connection'],
  ])('fails when %s', async (_case, answer, message) => {
    const server = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() });
    const event = new KongEnd(server).event('access', new Map());
    answer(server);
    await expect(event).rejects.toThrow(message);
  });
});

function frames(...payloads: string[]): Buffer {
  return Buffer.concat(
    payloads.map((payload) => {
      const frame = Buffer.from(`    ${payload}`);
      frame.writeUInt32LE(payload.length);
      return frame;
    }),
  );
}
