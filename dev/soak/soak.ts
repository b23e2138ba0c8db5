import { type ChildProcess, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { assembled } from '../closing.js';
import { type LaneRequest, MSGPACK, type PluginProtocol, PROTOBUF } from '../kong-connection/lane.js';
import { PLAIN_GET, requestReplies, responseReplies } from '../kong-connection/request-replies.js';
import { startEchoProcess } from '../policy-provider/echo.js';

/** What becomes of a request in the soak. */
const KINDS = ['allowed', 'denied', 'filtered'] as const;
type Kind = (typeof KINDS)[number];

/** What the policy provider answers instead of allowing everything unchanged. */
const ANSWERS = {
  '/denied/sideband/request': {
    response: { response_code: '403', headers: [{ 'content-type': 'text/plain' }], body: 'no' },
  },
  '/filtered/sideband/response': {
    response_code: '200',
    headers: [{ 'content-type': 'text/plain' }],
    body: 'filtered',
  },
};

const HEADERS = {
  ...{ host: 'api.example.com', accept: 'application/json', 'user-agent': 'soak', 'x-two': ['a', 'b'] },
  authorization: `Bearer ${'eyJhbGciOiJSUzI1NiJ9'.repeat(10)}`,
  cookie: 'session=3f2a8c1e9b; theme=dark',
};
const REPLIES = {
  ...requestReplies({ ...PLAIN_GET, host: HEADERS.host, headers: HEADERS }),
  ...responseReplies(
    200,
    { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] },
    Buffer.from('hello'),
  ),
};
const REQUESTS: Readonly<Record<Kind, LaneRequest>> = {
  allowed: { replies: REPLIES, decision: 'allowed' },
  denied: { replies: REPLIES, decision: 'denied' },
  filtered: { replies: REPLIES, decision: 'filtered' },
};

export interface SoakOptions {
  readonly host: HostName;
  readonly bundle: string;
  readonly minutes: number;
  /** No more than so many in the warm-up and of each kind, however quick the machine is. Default: as many as there is time for. */
  readonly requests?: number;
  readonly concurrency: number;
}

/** One kind of request, a long time of it. */
export interface SoakRow {
  readonly host: HostName;
  readonly kind: Kind;
  readonly requests: number;
  readonly before: Sample;
  readonly after: Sample;
}

/** Share of the time for the warm-up, in which all kinds run; the kinds share the rest. */
const WARM_UP = 0.2;

/** @throws Error when a request ends in another way than its kind says. */
export function soak(options: SoakOptions): Promise<SoakRow[]> {
  return assembled(async (closing) => {
    const policy = await startEchoProcess(closing, { answers: ANSWERS });
    const server = await startServer(options.host, options.bundle);
    closing.add(() => server.close());
    const instances = {} as Record<Kind, number>;
    for (const kind of KINDS) {
      instances[kind] = await server.protocol.start(server.socket, {
        service_url: `${policy.url}/${kind}`,
        shared_secret: 'soak-secret',
        secret_header_name: 'CLIENT-TOKEN',
      });
    }
    const ms = options.minutes * 60_000;
    await run(server, instances, KINDS, options, ms * WARM_UP);
    const rows: SoakRow[] = [];
    let before = await server.measure();
    for (const kind of KINDS) {
      const time = (ms * (1 - WARM_UP)) / KINDS.length;
      const requests = await run(server, instances, [kind], options, time);
      const after = await server.measure();
      rows.push({ host: options.host, kind, requests, before, after });
      before = after;
    }
    await closing.close();
    return rows;
  });
}

/** So many lanes, each with one kind of request; connections are new ones, and none is left open. */
async function run(
  { protocol, socket }: ServerUnderTest,
  instances: Readonly<Record<Kind, number>>,
  kinds: readonly Kind[],
  { concurrency, requests: atMost = Number.POSITIVE_INFINITY }: SoakOptions,
  forMs: number,
): Promise<number> {
  const end = performance.now() + forMs;
  let requests = 0;
  const runLane = async (n: number) => {
    const kind = kinds[n % kinds.length] ?? 'allowed';
    const lane = await protocol.open(socket, instances[kind]);
    while (performance.now() < end && requests < atMost) {
      requests++;
      await lane.request(REQUESTS[kind]);
    }
    lane.close();
  };
  await Promise.all(Array.from({ length: concurrency }, (_, n) => runLane(n)));
  return requests;
}

/** Bytes of heap that stay behind for every request. */
export function leftBehind({ before, after, requests }: SoakRow): number {
  return (after.heapUsed + after.external - before.heapUsed - before.external) / requests;
}

/** Caches and compiled code grow by this much without meaning anything. */
const NOISE_BYTES = 4 * 1024 * 1024;

/** No growth beyond noise. */
export function isSteady(row: SoakRow): boolean {
  const { before, after } = row;
  // The connections to the policy provider come and go.
  const fds = (after.fds ?? 0) - (before.fds ?? 0);
  return leftBehind(row) * row.requests < NOISE_BYTES && fds < 50 && after.handles - before.handles < 50;
}

export type HostName = 'ping-auth-pluginserver' | 'kong-js-pluginserver';

/** After a garbage collection. */
export interface Sample {
  /** Bytes. */
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Sockets, timers and the like that Node keeps. */
  readonly handles: number;
  /** undefined where there is no /proc. */
  readonly fds: number | undefined;
}

export interface ServerUnderTest {
  readonly protocol: PluginProtocol;
  readonly socket: string;
  measure(): Promise<Sample>;
  close(): Promise<void>;
}

const START_MS = 30_000;
const PROBE = fileURLToPath(new URL('./report-memory.mjs', import.meta.url));
const MODULE = fileURLToPath(new URL('../../src/plugin/module.ts', import.meta.url));

/** Starts a plugin server of its own. @param bundle of our own plugin server */
export async function startServer(host: HostName, bundle: string): Promise<ServerUnderTest> {
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-soak-'));
  const socket = join(folder, 'plugin.sock');
  const report = join(folder, 'memory.json');
  const args = host === 'ping-auth-pluginserver' ? ours(folder, socket, bundle) : await stock(folder);
  const child = spawn(process.execPath, ['--expose-gc', '--import', PROBE, ...args], {
    env: { ...process.env, SOAK_REPORT: report, TS_NODE_TRANSPILE_ONLY: 'true' },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await appears(socket, child);
  return {
    protocol: host === 'ping-auth-pluginserver' ? PROTOBUF : MSGPACK,
    socket,
    async measure() {
      // The connections that were closed are gone by then.
      await pause(300);
      rmSync(report, { force: true });
      child.kill('SIGUSR2');
      await appears(report, child);
      const fds = existsSync('/proc/self/fd') ? readdirSync(`/proc/${child.pid}/fd`).length : undefined;
      return { ...JSON.parse(readFileSync(report, 'utf8')), fds };
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ours(folder: string, socket: string, bundle: string): string[] {
  // A copy: somebody may build while the soak runs.
  const file = join(folder, 'pluginserver.mjs');
  copyFileSync(bundle, file);
  return [file, '--socket', socket, '--log-level', 'warn', '--workers', '1'];
}

/** kong-pdk loads its plugins with require(), so the plugin goes there as one CommonJS file. */
async function stock(folder: string): Promise<string[]> {
  const plugins = join(folder, 'plugins');
  mkdirSync(plugins);
  await build({
    entryPoints: [MODULE],
    outfile: join(plugins, 'ping-auth.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    logLevel: 'warning',
  });
  const bin = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');
  return [bin, '--plugins-directory', plugins, '--kong-prefix', folder, '--sock-name', 'plugin.sock'];
}

async function appears(path: string, child: ChildProcess): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (!existsSync(path)) {
    if (child.exitCode !== null || performance.now() > deadline)
      throw new Error(`no ${path} from the plugin server`);
    await pause(20);
  }
}
