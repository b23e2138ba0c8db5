// The npm package as others get it: packed, installed into an empty folder without a network, used from there.
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { sendRequest } from '../../dev/http-client.js';
import { Name } from '../../src/plugin/manifest.js';
import { VERSION } from '../../src/version.js';
import { isFresh } from '../support/built-plugin-server.js';
import { type StockHost, startStockHost } from './stock-host.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  readonly name: string;
  readonly files: readonly string[];
};
const BUILD_INPUT = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts', 'src'];

let folder: string;
let user: string;
let tarball: string;
let content: string[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ping-auth-package-'));
  tarball = pack(join(folder, 'source'));
  user = join(folder, 'user');
  mkdirSync(user);
  writeFileSync(join(user, 'package.json'), '{"private":true}');
  node([npmCli(), 'install', '--offline', '--no-audit', '--no-fund', tarball]);
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Packs a copy, because other tests may build into dist/ at any time; built again unless what `npm test` built is there. */
function pack(source: string): string {
  const parts = [...BUILD_INPUT, 'README.md', 'LICENSE', ...manifest.files];
  for (const path of parts.filter((path) => !/^(?:dist\/|!)/.test(path)))
    cpSync(`${root}${path}`, join(source, path), { recursive: true });
  symlinkSync(`${root}node_modules`, join(source, 'node_modules'));
  if (isFresh(`${root}dist/types/index.d.ts`))
    cpSync(`${root}dist`, join(source, 'dist'), { recursive: true });
  else node([join(source, 'scripts/build.mjs')], source);
  const output = node(
    [npmCli(), 'pack', '--ignore-scripts', '--json', `--pack-destination=${folder}`],
    source,
  );
  const results = Object.values(JSON.parse(output) as Record<string, Packed>);
  content = (results[0]?.files ?? []).map(({ path }) => path);
  return join(folder, results[0]?.filename ?? '');
}

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** Runs a script, as a rule in the folder of the package's user. @throws Error when it fails */
function node(args: readonly string[], cwd = user): string {
  return execFileSync(process.execPath, args, { cwd, encoding: 'utf8', stdio: 'pipe' });
}

function npmCli(): string {
  return execFileSync('/bin/sh', ['-c', 'readlink -f "$(command -v npm)"'], { encoding: 'utf8' }).trim();
}

function run(name: string, ...args: string[]) {
  const env = { PATH: process.env.PATH, SECRET: 'of-the-test' };
  return spawnSync(join(user, 'node_modules/.bin', name), args, { cwd: user, env, encoding: 'utf8' });
}

it('holds what is built for it, documents and files for admins; no sources, no tests', () => {
  expect(content).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'dist/THIRD-PARTY-LICENSES.txt',
      'docs/getting-started.md',
      'kong/kong.conf',
    ]),
  );
  const places = content.map((path) => path.replace(/^(dist\/[^/]+\/|(?!dist)[^/]+\/).*/, '$1'));
  expect([...new Set(places)].sort()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'dist/THIRD-PARTY-LICENSES.txt',
    'dist/bin/',
    'dist/index.js',
    'dist/index.js.LEGAL.txt',
    'dist/js-plugins/',
    'dist/types/',
    'docs/',
    'kong/',
    'package.json',
  ]);
});

it('leaves out what is for contributors', () => {
  expect(content.filter((path) => path.startsWith('docs/contributors/'))).toEqual([]);
});

it('links only to files that it holds', () => {
  const pages = content.filter((path) => path.endsWith('.md'));
  expect(pages.length).toBeGreaterThan(20);
  const dead = pages.flatMap((page) =>
    [...readFileSync(`${root}${page}`, 'utf8').matchAll(/\]\(([^)#\s]+)[^)\s]*\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .map((target) => ({ page, path: posix.join(posix.dirname(page), target) }))
      .filter(({ path }) => !content.some((file) => file === path || file.startsWith(folderOf(path))))
      .map(({ path }) => `${page} → ${path}`),
  );
  expect(dead).toEqual([]);
});

/** A link to a folder needs a file in it. */
const folderOf = (path: string) => (path.endsWith('/') ? path : `${path}/`);

it('passes publint', () => {
  node([`${root}node_modules/publint/src/cli.js`, 'run', '--strict', tarball]);
});

it('brings no other package along', () => {
  const lock = JSON.parse(readFileSync(join(user, 'package-lock.json'), 'utf8')) as { packages: object };
  expect(Object.keys(lock.packages)).toEqual(['', `node_modules/${manifest.name}`]);
});

describe('its executables', () => {
  it('dump the plugin for Kong', () => {
    const { status, stdout, stderr } = run('ping-auth-pluginserver', '--dump');
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({
      Protocol: 'ProtoBuf:1',
      Plugins: [{ Name, Version: VERSION }],
    });
  });

  it('explain the check', () => {
    expect(run('ping-auth', 'check', '--help')).toMatchObject({ status: 0, stderr: '' });
  });

  it('check a connection that is not there', () => {
    const { status, stdout } = run(
      'ping-auth',
      ...['check', '--service-url', 'https://127.0.0.1:1', '--secret-env', 'SECRET'],
    );
    expect(status).toBe(1);
    expect(stdout).toContain('https://127.0.0.1:1');
  });
});

describe('under Kong’s own plugin server, as docs/deployment.md says', () => {
  const closing = new Closing();
  let host: StockHost;
  beforeAll(async () => {
    host = await startStockHost(join(user, 'node_modules', manifest.name), folder, closing);
    host.provider.setRules([
      { name: 'no', match: { phase: 'request', path: '/no' }, deny: { status: 403 } },
      {
        name: 'filter',
        match: { phase: 'response' },
        rewrite: { headers: { set: { 'x-filtered': 'yes' } } },
      },
    ]);
  });
  afterAll(() => closing.close());
  const send = (path: string) => sendRequest(`http://127.0.0.1:${host.kong.proxyPort}`, { path });

  it('permits, filters and denies', async () => {
    const { status, headers } = await send('/yes');
    expect(status).toBe(200);
    expect(headers).toContainEqual(['x-filtered', 'yes']);
    expect((await send('/no')).status).toBe(403);
    expect(host.upstreamRequests()).toBe(1);
  });

  it('lets nothing pass when that is gone, thanks to the guard', async () => {
    process.kill(host.kong.pid('js') ?? 0, 'SIGKILL');
    expect((await send('/yes')).status).toBe(503);
    expect(host.upstreamRequests()).toBe(1);
  });
});

describe('as a library', () => {
  const names = 'ERRORS,EntityChecks,Name,Plugin,Priority,Schema,Version';

  it('is imported and required, with the same names', () => {
    const print = 'console.log(Object.keys(plugin).filter((key) => key !== "default").sort().join())';
    for (const [file, load] of [
      ['import.mjs', `import * as plugin from '${manifest.name}';`],
      ['require.cjs', `const plugin = require('${manifest.name}');`],
    ] as const) {
      writeFileSync(join(user, file), `${load}\n${print}\n`);
      expect(node([file]).trim(), file).toBe(names);
    }
  });

  it('has types that need no other package', () => {
    const use = `import { ERRORS, Plugin } from '${manifest.name}';
      declare const kong: Parameters<InstanceType<typeof Plugin>['access']>[0];
      export const done: Promise<void> = new Plugin({}).access(kong);
      export const status: number = ERRORS.client_gone.status;`;
    for (const file of ['use.mts', 'use.cts']) writeFileSync(join(user, file), use);
    const compilerOptions = {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      lib: ['es2023', 'dom'],
      types: [],
    };
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.*'] }));
    node([`${root}node_modules/typescript/bin/tsc`]);
  });
});
