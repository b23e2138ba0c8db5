import { execFile } from 'node:child_process';
import { Duplex } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { KongEnd } from './kong-end.js';
import { warmUp } from './warm-up.js';

describe('the warm-up', () => {
  it('runs requests of both kinds of Kong to a permit', async () => {
    expect(await warmUp(() => true)).toBe(8);
  });

  it('ends as soon as Kong has something to do', async () => {
    let asked = 0;
    expect(await warmUp(() => asked++ < 4)).toBeLessThan(4);
    expect(await warmUp(() => false)).toBe(0);
  });

  it('leaves nothing behind: the process has no provider, and nothing to stay for', async () => {
    const script = `
      import { warmUp } from '${new URL('warm-up.ts', import.meta.url).href}';
      import { knownProviders } from '${new URL('../../sideband/sideband-client.ts', import.meta.url).href}';
      console.log(await warmUp(() => true), knownProviders().length);
      setTimeout(() => process.exit(1), 20_000).unref();`;
    const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toBe('8 0\n');
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
