// --admin of the real executable, under the Kong stand-in: metrics of all processes on one page, health, log files.
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../dev/listen.js';
import { VERSION } from '../../src/version.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe.each([1, 2])('the plugin server with %i processes', (workers) => {
  let rig: Rig;
  let admin: string;
  let folder: string;
  let file: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ping-auth-admin-'));
    file = join(folder, 'ping-auth.log');
    const address = `127.0.0.1:${await freePort()}`;
    admin = `http://${address}`;
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      rules: [{ name: 'no', match: { phase: 'request', path: '/no' }, deny: { status: 403 } }],
      pluginServerArgs: ['--admin', address, '--workers', String(workers), '--log-file', file],
    });
    await until('the admin server answers', () =>
      fetch(`${admin}/health/live`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
  });
  afterAll(async () => {
    await rig?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('counts what it decides', async () => {
    for (const path of ['/yes', '/yes', '/no']) await rig.send({ path });
    const page = await (await fetch(`${admin}/metrics`)).text();
    const value = (series: string) =>
      Number(
        page
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.split(' ')[1],
      );
    expect(value('ping_auth_decisions_total{phase="access",outcome="deny"}')).toBe(1);
    expect(
      value('ping_auth_decisions_total{phase="access",outcome="permit"}') +
        value('ping_auth_decisions_total{phase="access",outcome="change"}'),
    ).toBe(2);
    expect(value('ping_auth_sideband_duration_seconds_count{phase="access"}')).toBe(3);
    expect(value('ping_auth_rpc_events_total')).toBe(5);
    expect(value('ping_auth_events_in_flight')).toBe(0);
    expect(page).toMatch(/^ping_auth_circuit_state\{provider="https:\/\/127\.0\.0\.1:\d+"\} 0$/m);
    expect(page).toMatch(/^process_resident_memory_bytes \d+/m);
  });

  it('is ready, and says how its circuits are', async () => {
    await rig.send({ path: '/yes' });
    const answer = await fetch(`${admin}/health/ready`);
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        status: 'ready',
        version: VERSION,
        checks: {
          socket: 'open',
          ...(workers > 1 && { workers: `${workers} serving` }),
          [`circuit of ${rig.providerUrl}`]: 'closed',
        },
      },
    ]);
  });

  it('continues in a new file after logrotate, in every process', async () => {
    const decisions = (path: string) =>
      (readFileSync(path, 'utf8').match(/"event":"decision"/g) ?? []).length;
    await rig.send({ path: '/no' });
    await until('the line is written', () => decisions(file) > 0);
    renameSync(file, `${file}.1`);
    process.kill(rig.pluginServer.pid(), 'SIGHUP');
    // A worker opens the file a moment after its parent: its lines go to the old one until then.
    await until('new lines are in the new file', async () => {
      await Promise.all(Array.from({ length: 4 }, () => rig.send({ path: '/no' })));
      try {
        return decisions(file) > 0;
      } catch {
        return false;
      }
    });
    expect(rig.log()).toContain('access: deny');
  });
});
