import { randomBytes } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { createAuthority } from '../certificates.js';
import { type DevProcess, startProcess } from '../child-process.js';
import { assembled, type Closing } from '../closing.js';
import { type RunningKong, startKong } from '../kong/start-kong.js';
import { createStamps, STAMP_KEY_VARIABLE, type Stamps } from './evidence.js';

/** How the policy provider of the campaign behaves; can be changed while it runs. */
/** As the executable sets them for itself (scripts/build.mjs); here it is started by Node.js, for the clock. */
const ALLOCATOR = ['MALLOC_ARENA_MAX=2', 'MALLOC_MMAP_THRESHOLD_=131072'];

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
export interface Landscape {
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
  /** POST /config: all instances start anew. */
  reload(): void;
  close(): Promise<void>;
}

export interface LandscapeOptions {
  /** The bundled plugin server. */
  readonly bundle: string;
  readonly workers: number;
  /** A second name of the policy provider to fail over to. */
  readonly failover?: boolean;
  /** Over the campaign's own configuration of ping-auth. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Every switch that lets something pass without a decision. What a client does must not bring that about all the same. */
export const FAILING_OPEN = {
  fail_open_request: true,
  fail_open_response: true,
  fail_open_scope: 'unavailable',
  circuit_failures: 5,
} as const;

/** Beside ping-auth, as kong/guard/README.md says. */
const GUARD = fileURLToPath(new URL('../../kong/guard/own-server.yml', import.meta.url));

/** Kong gives the plugin server up after 60 s; the campaign does not want to wait as long for one that is frozen. */
const KONG_PATIENCE = '4s';

export function startLandscape(options: LandscapeOptions): Promise<Landscape> {
  return assembled((closing) => assemble(options, closing));
}

async function assemble(options: LandscapeOptions, closing: Closing): Promise<Landscape> {
  const { bundle, workers } = options;
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-faults-'));
  closing.add(() => rmSync(folder, { recursive: true, force: true }));
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

  const config = declarativeConfig(upstream.ready.url, {
    service_url: policy.ready.url,
    ca_certificate: authority.cert,
    ...(options.failover === true && { failover_service_urls: [`${policy.ready.url}/failover`] }),
    ...options.config,
  });
  const socket = file('ping-auth.socket');
  const clock = fileURLToPath(new URL('./clock-jump.mjs', import.meta.url));
  const pluginServer = [
    ...['--import', clock, file('pluginserver.mjs'), '--socket', socket, '--body-dir', folder],
    ...['--workers', String(workers), '--grace', '3', '--event-timeout', '5', '--log-level', 'error'],
  ];
  const kong = await startKong({
    conf: {
      proxy_listen: '127.0.0.1:0',
      prefix: folder,
      nginx_worker_processes: 2,
      nginx_http_lua_socket_read_timeout: KONG_PATIENCE,
      standin_event_repeats: 200,
      pluginserver_names: 'ping-auth',
      pluginserver_ping_auth_socket: socket,
      pluginserver_ping_auth_start_cmd: [
        '/usr/bin/env',
        ...ALLOCATOR,
        process.execPath,
        ...pluginServer,
      ].join(' '),
      pluginserver_ping_auth_query_cmd: `${process.execPath} ${file('pluginserver.mjs')} --dump`,
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

function declarativeConfig(upstreamUrl: string, given: Readonly<Record<string, unknown>>) {
  const config = {
    shared_secret: 'faults-secret',
    secret_header_name: 'CLIENT-TOKEN',
    call_timeout_ms: 2000,
    connections: 256,
    circuit_failures: 50,
    circuit_open_ms: 500,
    ...given,
  };
  const routes = [{ name: 'all', paths: ['/'], strip_path: false, plugins: [{ name: 'ping-auth', config }] }];
  const { plugins } = parse(readFileSync(GUARD, 'utf8'));
  return {
    _format_version: '3.0',
    plugins,
    services: [{ name: 'upstream', url: upstreamUrl, retries: 0, routes }],
  };
}
