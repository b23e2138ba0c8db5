import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { freePort } from '../../dev/listen.js';
import type { KongOptions, RunningKong } from './kong.js';
import { until } from './until.js';

const run = promisify(execFile);

/** Of another process that was given a free port between our look at it and Kong's bind. */
const START_ATTEMPTS = 3;

/**
 * A Kong as it is installed, DB-less, in the test's folder. Its workers run as the user that runs the tests;
 * `KONG_NGINX_USER="kong kong"` in the environment runs them as another one. Other `KONG_*` variables count, too, as long as the
 * test does not need that setting.
 * @param kong path of Kong's CLI
 */
export async function startRealKong(kong: string, options: KongOptions): Promise<RunningKong> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(kong, options);
    } catch (error) {
      if (attempt === START_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

/** Major and minor version as a number: 3.9. */
export function kongVersion(kong: string): number {
  const text = execFileSync(kong, ['version'], { encoding: 'utf8' });
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? [];
  if (major === undefined) throw new Error(`${kong} version: ${text}`);
  return Number(`${major}.${minor}`);
}

interface Listen {
  readonly port: number;
  readonly flags: readonly string[];
}

async function start(kong: string, { conf, declarativeConfig }: KongOptions): Promise<RunningKong> {
  const { prefix } = conf;
  const listens = await Promise.all(String(conf.proxy_listen).split(',').map(onFreePort));
  const settings = settingsOf(conf, listens);
  const path = (name: string) => join(prefix, name);
  for (const name of ['ssl_cert', 'ssl_cert_key']) {
    if (settings[name] === undefined) continue;
    writeFileSync(path(`${name}.pem`), String(settings[name]), { mode: 0o600 });
    settings[name] = path(`${name}.pem`);
  }
  writeFileSync(path('declarative.json'), JSON.stringify(declarativeConfig));
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  writeFileSync(path('test-kong.conf'), lines.join('\n'));
  // The workers' user creates the plugin server's socket there.
  if (process.env.KONG_NGINX_USER !== undefined) chmodSync(prefix, 0o777);

  const environment = Object.entries(process.env).filter(
    ([name]) => !(name.startsWith('KONG_') && name.slice(5).toLowerCase() in settings),
  );
  const env = Object.fromEntries(environment);
  const log = () => logText(path('logs/error.log'));
  await run(kong, ['start', '-c', path('test-kong.conf')], { cwd: prefix, env }).catch((error: object) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`kong start: ${stdout}${stderr}\n${log()}`);
  });
  const master = Number(readFileSync(path('pids/nginx.pid'), 'utf8'));
  const kill = () => {
    for (const pid of [master, ...descendants(master)]) signal(pid, 'SIGKILL');
  };
  // If the test process dies without closing.
  process.once('exit', kill);
  const stop = async () => {
    const all = [master, ...descendants(master)];
    const gone = (pids: readonly number[]) => () => pids.every((pid) => !isRunning(pid));
    await run(kong, ['stop', '-p', prefix], { env }).catch(() => undefined);
    await until('Kong and its plugin servers have ended', gone(all), 5000).catch(() => {
      for (const pid of all) signal(pid, 'SIGKILL');
      return until('what was killed is gone', gone(all), 5000);
    });
    process.off('exit', kill);
  };
  const port = (ssl: boolean) => listens.find(({ flags }) => flags.includes('ssl') === ssl)?.port ?? 0;
  try {
    for (const name of names(conf.pluginserver_names)) {
      const socket = String(conf[`pluginserver_${name.replaceAll('-', '_')}_socket`]);
      await until(`plugin server ${name} listens`, () => accepts(socket));
    }
    for (const { port } of listens) await until(`Kong listens on ${port}`, () => accepts(port));
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${log()}`);
  }
  return {
    proxyPort: port(false),
    tlsPort: port(true),
    log: { text: log },
    pid: (name) => {
      const command = conf[`pluginserver_${name.replaceAll('-', '_')}_start_cmd`];
      return descendants(master).find((pid) => commandLine(pid) === command);
    },
    stop,
  };
}

function settingsOf(conf: KongOptions['conf'], listens: readonly Listen[]): Record<string, unknown> {
  const settings: Record<string, unknown> = {
    database: 'off',
    declarative_config: join(conf.prefix, 'declarative.json'),
    admin_listen: 'off',
    admin_gui_listen: 'off',
    status_listen: 'off',
    log_level: 'info',
    // Else every Kong of a run writes to the same places under /dev.
    proxy_access_log: 'off',
    proxy_error_log: 'logs/error.log',
    nginx_worker_processes: 1,
    anonymous_reports: 'off',
    mem_cache_size: '32m',
    ...conf,
    plugins: ['bundled', ...pluginNames(conf)].join(),
    proxy_listen: listens.map(({ port, flags }) => [`127.0.0.1:${port}`, ...flags].join(' ')).join(', '),
  };
  if (process.getuid?.() === 0 && process.env.KONG_NGINX_USER === undefined)
    settings.nginx_user = 'root root';
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) => value !== undefined && !name.startsWith('standin_')),
  );
}

/** One plugin a server, called like it: the rule of Kong's query commands in these tests. */
function pluginNames(conf: KongConf): string[] {
  return names(conf.plugins === undefined ? conf.pluginserver_names : String(conf.plugins));
}

function names(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

async function onFreePort(text: string): Promise<Listen> {
  const [, ...flags] = text.trim().split(/\s+/);
  return { port: await freePort(), flags };
}

/** error.log in the form of the stand-in's log: without time, process, connection, Lua file and the request behind it. */
function logText(file: string): string {
  if (!existsSync(file)) return '';
  return readFileSync(file, 'latin1')
    .replaceAll(
      /^\S+ \S+ (\[\w+\]) \d+#\d+: (?:\*\d+ )?(?:\[\w+\] \S+\.lua:\d+(?::[^:\n]*\(\):)? )?/gm,
      '$1 ',
    )
    .replaceAll(/, (?:context: ngx\.timer|client: [\d.]+, server: ).*$/gm, '');
}

function accepts(where: string | number): Promise<boolean> {
  const socket = typeof where === 'string' ? connect(where) : connect(where, '127.0.0.1');
  return new Promise((resolve) => {
    const settle = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}

/** Linux only, like Kong. */
function descendants(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const below = (of: number): number[] =>
    (children.get(of) ?? []).flatMap((child) => [child, ...below(child)]);
  return below(pid);
}

function parentOf(pid: number): number | undefined {
  const [, parent] = /^\d+ \(.*\) \S (\d+)/s.exec(read(`/proc/${pid}/stat`)) ?? [];
  return parent === undefined ? undefined : Number(parent);
}

function commandLine(pid: number): string {
  return read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
}

/** A zombie does not run. */
function isRunning(pid: number): boolean {
  return /^\d+ \(.*\) [^Z]/s.test(read(`/proc/${pid}/stat`));
}

/** Empty if the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {}
}
