import { randomBytes } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createAuthority } from '../certificates.js';
import { type DevProcess, startProcess } from '../child-process.js';
import { assembled, type Closing } from '../closing.js';
import { kongYml, pingAuth, pluginServerConf, routedService } from '../kong/config/gateway-config.js';
import { type RunningKong, startKong } from '../kong/start-kong.js';
import { createStamps, STAMP_KEY_VARIABLE, type Stamps } from './evidence.js';

/** As the executable sets them for itself (scripts/build.mjs); here it is started by Node.js, for the clock. */
const ALLOCATOR = ['MALLOC_ARENA_MAX=2', 'MALLOC_MMAP_THRESHOLD_=131072'];

/** How the policy provider of the campaign behaves; can be changed while it runs. */
export interface PolicyBehaviour {
  /** Before each answer, by call. Requests gather where the delay is. */
  readonly delayMs: { readonly request: number; readonly response: number };
  /** Share of the answers that are lies, 0 to 1. */
  readonly lies: { readonly request: number; readonly response: number };
}

/** Where requests stand when a fault strikes. */
export type Phase = 'access' | 'response';

export function honest(phase: Phase, delayMs: number): PolicyBehaviour {
  return {
    delayMs: phase === 'access' ? { request: delayMs, response: 0 } : { request: 0, response: delayMs },
    lies: { request: 0, response: 0 },
  };
}

/** Everything that the campaign can do something to. */
export interface FaultStack {
  readonly kongUrl: string;
  readonly kong: RunningKong;
  /** Kong's prefix: bodies on disk stand in `client_body_temp` in it. */
  readonly folder: string;
  readonly socket: string;
  /** The plugin server's file and arguments, to start another one. */
  readonly pluginServer: readonly string[];
  readonly stamps: Stamps;
  readonly policyJournal: string;
  readonly upstreamJournal: string;
  policy(): DevProcess<{ url: string }>;
  upstream(): DevProcess<{ url: string }>;
  behave(behaviour: PolicyBehaviour): void;
  /** After their end; on the same port, with the same behaviour. */
  restartPolicy(): Promise<void>;
  restartUpstream(): Promise<void>;
  /** POST /config: all instances are restarted. */
  reload(): void;
  close(): Promise<void>;
}

export interface FaultStackOptions {
  /** The bundled plugin server. */
  readonly bundle: string;
  readonly workers: number;
  /** Further arguments of the plugin server. */
  readonly pluginServerArgs?: readonly string[];
  /** A second name of the policy provider to fail over to. */
  readonly failover?: boolean;
  /** Over the campaign's own configuration of ping-auth. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Every switch that lets something fail open. Whatever a client does, it must not use them. */
export const FAILING_OPEN = {
  fail_open_request: true,
  fail_open_response: true,
  fail_open_scope: 'unavailable',
  circuit_failures: 5,
} as const;

/** Beside ping-auth, as kong/guard/README.md says. */
const GUARD = fileURLToPath(new URL('../../kong/guard/own-server.yml', import.meta.url));

/** Kong's default is 60 s; the campaign does not wait as long for a frozen plugin server. */
const KONG_READ_TIMEOUT = '4s';

export function startFaultStack(options: FaultStackOptions): Promise<FaultStack> {
  return assembled((closing) => assemble(options, closing));
}

async function assemble(options: FaultStackOptions, closing: Closing): Promise<FaultStack> {
  const { bundle, workers } = options;
  const folder = closing.folder('ping-auth-faults-');
  const file = (name: string) => join(folder, name);
  // A copy: somebody may build while the campaign runs.
  copyFileSync(bundle, file('pluginserver.mjs'));
  const authority = await createAuthority();
  const leaf = await authority.issue();
  writeFileSync(file('cert.pem'), leaf.cert);
  writeFileSync(file('key.pem'), leaf.key);
  const key = randomBytes(16).toString('hex');
  const env = { [STAMP_KEY_VARIABLE]: key };

  let behaviour = honest('access', 0);
  const startPolicy = (port: string) => {
    const args = [port, file('policy.journal'), file('cert.pem'), file('key.pem'), JSON.stringify(behaviour)];
    return startProcess<{ url: string }>('./policy-process.ts', import.meta.url, {
      args,
      env,
      bundled: true,
    });
  };
  const startUpstream = (port: string) =>
    startProcess<{ url: string }>('./upstream-process.ts', import.meta.url, {
      args: [port, file('upstream.journal')],
      env,
      bundled: true,
    });
  let policy = await startPolicy('0');
  closing.add(() => policy.end('SIGKILL'));
  let upstream = await startUpstream('0');
  closing.add(() => upstream.end('SIGKILL'));
  const portOf = ({ ready }: DevProcess<{ url: string }>) => new URL(ready.url).port;
  const [policyPort, upstreamPort] = [portOf(policy), portOf(upstream)];

  const plugin = pingAuth({ url: policy.ready.url, ca: authority.cert }, 'faults-secret', {
    call_timeout_ms: 2000,
    connections: 256,
    circuit_failures: 50,
    circuit_open_ms: 500,
    ...(options.failover === true && { failover_service_urls: [`${policy.ready.url}/failover`] }),
    ...options.config,
  });
  const { plugins } = parse(readFileSync(GUARD, 'utf8'));
  const config = kongYml([routedService('upstream', upstream.ready.url, [plugin])], plugins);
  const socket = file('ping-auth.socket');
  const clock = fileURLToPath(new URL('./clock-jump.mjs', import.meta.url));
  const pluginServer = [
    ...['--import', clock, file('pluginserver.mjs'), '--socket', socket, '--body-dir', folder],
    ...['--workers', String(workers), '--grace', '3', '--event-timeout', '5', '--log-level', 'error'],
    ...(options.pluginServerArgs ?? []),
  ];
  const kong = await startKong({
    conf: {
      proxy_listen: '127.0.0.1:0',
      prefix: folder,
      nginx_worker_processes: 2,
      nginx_http_lua_socket_read_timeout: KONG_READ_TIMEOUT,
      standin_event_repeats: 200,
      ...pluginServerConf('ping-auth', socket, {
        start: ['/usr/bin/env', ...ALLOCATOR, process.execPath, ...pluginServer].join(' '),
        query: `${process.execPath} ${file('pluginserver.mjs')} --dump`,
      }),
    },
    declarativeConfig: config,
  });
  closing.add(() => kong.stop());
  if (process.env.FAULTS_LOG !== undefined) kong.log.on('line', ({ message }) => console.error(message));

  return {
    kongUrl: `http://127.0.0.1:${kong.proxyPort}`,
    kong,
    folder,
    socket,
    pluginServer,
    stamps: createStamps(key),
    policyJournal: file('policy.journal'),
    upstreamJournal: file('upstream.journal'),
    policy: () => policy,
    upstream: () => upstream,
    behave(wanted) {
      behaviour = wanted;
      policy.send(wanted);
    },
    async restartPolicy() {
      await policy.end('SIGKILL');
      policy = await startPolicy(policyPort);
    },
    async restartUpstream() {
      await upstream.end('SIGKILL');
      upstream = await startUpstream(upstreamPort);
    },
    reload: () => kong.reload(config),
    close: () => closing.close(),
  };
}
