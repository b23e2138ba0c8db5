import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { VERSION } from '../version.js';
import { type AdminServer, startAdmin } from './admin.js';

let server: AdminServer | undefined;
afterEach(async () => {
  await server?.close();
});

const metrics = async () => ({ contentType: 'text/plain; version=0.0.4', text: 'a 1\n' });

describe('admin server', () => {
  it('serves metrics and health', async () => {
    let ready = false;
    server = await startAdmin('127.0.0.1', 0, {
      metrics,
      ready: () => ({ ready, checks: { socket: ready ? 'open' : 'closed' } }),
    });
    const get = (path: string, method = 'GET') =>
      fetch(`http://127.0.0.1:${server?.port}${path}`, { method });
    expect(await (await get('/metrics')).text()).toBe('a 1\n');
    expect((await get('/health/live')).status).toBe(200);
    expect((await get('/health/ready')).status).toBe(503);
    ready = true;
    const answer = await get('/health/ready?verbose');
    expect([answer.status, await answer.json()]).toEqual([
      200,
      { status: 'ready', version: VERSION, checks: { socket: 'open' } },
    ]);
    expect((await get('/')).status).toBe(404);
    expect((await get('/metrics', 'POST')).status).toBe(405);
    expect(await (await get('/metrics', 'HEAD')).text()).toBe('');
  });

  it('shows nothing of the inside when a callback fails', async () => {
    server = await startAdmin('127.0.0.1', 0, {
      metrics: () => Promise.reject(new Error('secret path /etc/x')),
      ready: () => ({ ready: true, checks: {} }),
    });
    const answer = await fetch(`http://127.0.0.1:${server.port}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, 'internal error\n']);
  });

  it('answers although others hold a hundred connections with half a request', async () => {
    server = await startAdmin('127.0.0.1', 0, { metrics, ready: () => ({ ready: true, checks: {} }) });
    const { port } = server;
    const idle = Array.from({ length: 100 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    await Promise.all(idle.map((socket) => once(socket, 'connect')));
    for (const socket of idle) socket.write('GET /metrics HTTP/1.1\r\nHost:');
    const answer = await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(5_000) });
    expect(await answer.text()).toBe('a 1\n');
    for (const socket of idle) socket.destroy();
  });

  it('fails to start on a port that is taken', async () => {
    server = await startAdmin('127.0.0.1', 0, { metrics, ready: () => ({ ready: true, checks: {} }) });
    await expect(
      startAdmin('127.0.0.1', server.port, { metrics, ready: () => ({ ready: true, checks: {} }) }),
    ).rejects.toThrow(/EADDRINUSE/);
  });
});
