// What a running plugin server records and logs of a shadow policy, and what `ping-auth shadow` makes of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { startPolicyProvider } from '../../dev/policy-provider/server.js';
import { replayCommand } from '../../src/cli/replay/command.js';
import { shadowCommand } from '../../src/cli/shadow/command.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe('the report about a shadow policy', () => {
  const closing = new Closing();
  let folder: string;
  let rig: Rig;
  const file = (name: string) => join(folder, name);
  const lines = (name: string, event: string) =>
    readFileSync(file(name), 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"event":"${event}"`));

  beforeAll(async () => {
    folder = closing.folder('pa-shadow-');
    const shadow = await startPolicyProvider({
      secret: 'shadow-secret',
      rules: [
        { name: 'stricter', match: { phase: 'request', path: '/orders/*' }, deny: { status: 403 } },
        { name: 'header', match: { phase: 'response' }, rewrite: { headers: { set: { 'x-time': 'now' } } } },
      ],
    });
    closing.add(() => shadow.close());
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      config: {
        ...{ shadow_service_url: shadow.url, shadow_shared_secret: 'shadow-secret' },
        shadow_ca_certificate: shadow.ca,
      },
      pluginServerArgs: [
        '--record-file',
        file('recorded.jsonl'),
        '--log-file',
        file('log.jsonl'),
        '--workers',
        '2',
      ],
    });
    closing.add(() => rig.close());
    for (const path of ['/orders/17', '/orders/18', '/other']) await rig.send({ path });
    await until('all is recorded', () => lines('recorded.jsonl', 'shadow_call').length === 4);
    await until('all is logged', () => lines('log.jsonl', 'shadow').length === 4);
  });
  afterAll(() => closing.close());

  const report = async (name: string, ...options: string[]) => {
    const terminal = new FakeTerminal({});
    await shadowCommand(terminal).parseAsync([file(name), ...options], { from: 'user' });
    return terminal.result;
  };

  it('groups what differs, from a recording, with both decisions', async () => {
    const { stdout, exitCode } = await report('recorded.jsonl', '--json');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ ok: false, asked: 4, complete: { same: 1, different: 3, failed: 0 } },
      groups: [
        { phase: 'access', path: '/orders/{id}', what: ['permit → deny 403'], count: 2 },
        { phase: 'response', path: '/other', what: ['header:x-time'], count: 1 },
      ],
    });
    expect(exitCode).toBe(1);
    const words = (await report('recorded.jsonl')).stdout;
    expect(words).toContain('2 × access, ');
    expect(words).toContain('what the shadow policy decided');
  });

  it('groups what differs, from a log without messages', async () => {
    const { stdout, exitCode } = await report('log.jsonl', '--json', '--ignore-header', 'X-Time');
    expect(JSON.parse(stdout)).toMatchObject({
      counts: { same: 2, different: 2, error: 0, dropped: 0 },
      groups: [{ path: '/orders/{id}', what: ['permit → deny 403'], count: 2 }],
    });
    expect(exitCode).toBe(1);
    expect((await report('log.jsonl')).stdout).toContain('3 differ');
  });

  it('agrees with the results that the running plugin logged', async () => {
    const { groups } = JSON.parse((await report('recorded.jsonl', '--json')).stdout) as {
      groups: { what: string[] }[];
    };
    const logged = lines('log.jsonl', 'shadow').map((line) => JSON.parse(line) as { differences?: string[] });
    const kinds = new Set(logged.flatMap(({ differences }) => (differences ? [differences.join()] : [])));
    expect(new Set(groups.map(({ what }) => what.join()))).toEqual(kinds);
  });

  it('says so when there is nothing about a shadow policy', async () => {
    writeFileSync(file('nothing.jsonl'), '');
    expect(await report('nothing.jsonl')).toMatchObject({ exitCode: 3 });
  });

  it('leaves recordings readable for replay', async () => {
    const terminal = new FakeTerminal({ SECRET: 's' });
    const dead = [
      '--service-url',
      'http://127.0.0.1:9',
      '--secret-env',
      'SECRET',
      '--rate',
      '1000',
      '--json',
    ];
    await replayCommand(terminal).parseAsync([file('recorded.jsonl'), ...dead], { from: 'user' });
    expect(JSON.parse(terminal.result.stdout)).toMatchObject({ asked: 3, complete: { failed: 3 } });
  });
});
