import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { PbProbe, type ScriptOf } from '../../test/conformance/pb-probe.js';
import { type RunningKong, startKong } from './start-kong.js';

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Seen {
  method: string | undefined;
  url: string | undefined;
  headers: Record<string, unknown>;
  body: string;
}

async function upstream(): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method, url, headers } = request;
      seen.push({ method, url, headers, body: Buffer.concat(parts).toString() });
      response.setHeader('X-Up', '1');
      response.end('hello');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function kongWith(
  script: ScriptOf,
  url: string,
  phases = ['access', 'response'],
): Promise<{ kong: RunningKong; probe: PbProbe }> {
  const folder = mkdtempSync(join(tmpdir(), 'kong-test-'));
  cleanUps.push(() => rmSync(folder, { recursive: true }));
  const probe = new PbProbe(script);
  await probe.listen(join(folder, 'p.sock'));
  cleanUps.push(() => probe.close());
  const plugin = { Name: 'probe', Version: '1.0.0', Priority: 1, Phases: phases, Schema: {} };
  writeFileSync(join(folder, 'dump.json'), JSON.stringify({ Protocol: 'ProtoBuf:1', Plugins: [plugin] }));
  const kong = await startKong({
    conf: {
      prefix: folder,
      pluginserver_names: 'probe',
      pluginserver_probe_socket: join(folder, 'p.sock'),
      pluginserver_probe_query_cmd: `cat ${join(folder, 'dump.json')}`,
    },
    declarativeConfig: {
      _format_version: '3.0',
      services: [
        {
          name: 's',
          url,
          routes: [{ name: 'r', paths: ['/'], strip_path: false, plugins: [{ name: 'probe' }] }],
        },
      ],
    },
  });
  cleanUps.push(() => kong.stop());
  return { kong, probe };
}

test('a request goes through access, the upstream and response', async () => {
  const { url, seen } = await upstream();
  const { kong } = await kongWith(
    (_config, phase) =>
      phase === 'access'
        ? [
            ['kong.service.request.set_header', 'X-Added', 'by plugin'],
            ['kong.service.request.set_raw_body', 'new body'],
          ]
        : [['kong.response.set_header', 'X-Filtered', 'yes']],
    url,
  );
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/a%20b?x=1`, { method: 'POST', body: 'old' });
  expect(answer.status).toBe(200);
  expect(await answer.text()).toBe('hello');
  expect(answer.headers.get('x-up')).toBe('1');
  expect(answer.headers.get('x-filtered')).toBe('yes');
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ method: 'POST', url: '/a%20b?x=1', body: 'new body' });
  expect(seen[0]?.headers).toMatchObject({ 'x-added': 'by plugin', 'content-length': '8' });
});

test('an exit in access ends the request before the upstream', async () => {
  const { url, seen } = await upstream();
  const { kong } = await kongWith(() => [['kong.response.exit', 403, 'no', { 'X-Why': 'policy' }]], url);
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(403);
  expect(answer.headers.get('x-why')).toBe('policy');
  expect(await answer.text()).toBe('no');
  expect(seen).toEqual([]);
});

test('a plugin server that is not there gives 500 and nothing reaches the upstream', async () => {
  const { url, seen } = await upstream();
  const { kong, probe } = await kongWith(() => [], url);
  probe.close();
  const answer = await fetch(`http://127.0.0.1:${kong.proxyPort}/`);
  expect(answer.status).toBe(500);
  expect(await answer.json()).toMatchObject({ message: 'An unexpected error occurred' });
  expect(seen).toEqual([]);
});
