// --record-file of a running plugin server, and what `ping-auth replay` makes of it.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ProviderProcess, startProviderProcess } from '../../dev/policy-provider/process.js';
import { replayCommand } from '../../src/cli/replay/command.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { RIG_SECRET, type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

describe('a plugin server that records', () => {
  let folder: string;
  let rig: Rig;
  let other: ProviderProcess;
  const path = () => join(folder, 'exchanges.jsonl');
  const lines = () => readFileSync(path(), 'utf8').split('\n').filter(Boolean);

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pa-record-'));
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      rules: [
        { name: 'no', match: { phase: 'request', path: '/no' }, deny: { status: 403 } },
        { name: 'state', match: { phase: 'request' }, state: { secret: 'state-of-the-provider' } },
      ],
      pluginServerArgs: ['--record-file', path(), '--workers', '2'],
    });
    other = await startProviderProcess({ secret: RIG_SECRET });
    writeFileSync(join(folder, 'ca.pem'), other.ca);
  });
  afterAll(async () => {
    await Promise.all([rig?.close(), other?.end()]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('writes both phases, without secrets, for its user alone', async () => {
    for (let i = 0; i < 4; i += 1) {
      // Unlike others it does not answer with what it was sent.
      const headers = [['Authorization', 'Bearer token-of-the-client']] as const;
      expect((await rig.send({ path: '/text/200', headers })).status).toBe(200);
    }
    expect((await rig.send({ path: '/no' })).status).toBe(403);
    await until('all calls are recorded', () => lines().length === 9);
    const text = lines().join('\n');
    for (const secret of ['token-of-the-client', 'state-of-the-provider', RIG_SECRET])
      expect(text).not.toContain(secret);
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(rig.log()).not.toContain('"event":"sideband"');
  });

  it('can be replayed against another provider', async () => {
    const terminal = new FakeTerminal({ SECRET: RIG_SECRET });
    const access = ['--service-url', other.url, '--secret-env', 'SECRET', '--ca', join(folder, 'ca.pem')];
    const args = [path(), ...access, '--header', 'Authorization: Bearer token', '--rate', '1000', '--json'];
    await replayCommand(terminal).parseAsync(args, { from: 'user' });
    expect(JSON.parse(terminal.result.stdout)).toMatchObject({
      asked: 9,
      complete: { same: 8, different: 1, failed: 0 },
      incomplete: { same: 0, different: 0 },
      groups: [{ path: '/no', what: ['deny 403 → permit'], count: 1 }],
    });
    const calls = await other.calls();
    expect(calls.filter(({ phase }) => phase === 'response')).toHaveLength(4);
  });

  it('carries nothing of the tools for policy authors', async () => {
    const server = await builtPluginServer();
    const [bundle, tools] = [server, server.replace('-pluginserver', '')].map((file) =>
      readFileSync(file, 'utf8'),
    );
    for (const mark of [
      'node_modules/json-p3/',
      'node_modules/yaml/',
      'node_modules/diff/',
      'src/cli/replay/',
      'src/cli/test/',
    ]) {
      expect(bundle).not.toContain(mark);
      expect(tools).toContain(mark);
    }
  });
});
