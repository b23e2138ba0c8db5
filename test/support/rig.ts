import { createAuthority } from '../../dev/certificates.js';
import { assembled, type Closing } from '../../dev/closing.js';
import { type ClientRequest, type ClientResponse, sendRequest } from '../../dev/http-client.js';
import { kongYml, pingAuth, routedService } from '../../dev/kong/config/gateway-config.js';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import type { SidebandCall } from '../../dev/policy-provider/call-log.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { startPolicyProvider } from '../../dev/policy-provider/server.js';
import type { ReceivedRequest } from '../../dev/upstream/answers.js';
import { startUpstream } from '../../dev/upstream/server.js';
import type { Host } from './hosts.js';
import { startKong } from './kong.js';
import { companionPlugins, hostConf } from './plugin-server-conf.js';

/** A secret that must never be seen in a log. */
export const RIG_SECRET = 'rig-shared-secret-9f27c1';

type Config = Readonly<Record<string, unknown>>;

/** Tests come with their first request before the server is warm; a hundred servers would take their warm-ups' time from one another. */
const COLD = ['--no-warm-up'];

export interface RouteOptions {
  readonly paths: readonly string[];
  readonly hosts?: readonly string[];
  /** Over the rig's configuration. */
  readonly config: Config;
  /** URL of another upstream than the rig's own; its path does not count. */
  readonly upstream?: string;
}

export interface RigOptions {
  readonly host: Host;
  /** For the policy provider; can be changed later. */
  readonly rules?: readonly RuleInput[];
  /** Over the rig's own configuration of ping-auth, or made from it. */
  readonly config?: Config | ((own: Config) => Config);
  /** Routes with a configuration of their own, before the route for everything else. */
  readonly routes?: readonly RouteOptions[];
  /** kong.conf. */
  readonly kong?: KongConf;
  /** Further arguments for our plugin server; without any, it is started cold. */
  readonly pluginServerArgs?: readonly string[];
}

/** Everything that a request meets, running: client → Kong ⇄ plugin server ⇄ policy provider, upstream. */
export interface Rig {
  readonly kongUrl: string;
  /** Of the first `ssl` listener in `proxy_listen`. */
  readonly kongTlsUrl: string | undefined;
  /** PEM of the CA behind the policy provider and Kong's own certificate. */
  readonly ca: string;
  readonly providerUrl: string;
  /** `pid` is 0 while none runs. */
  readonly pluginServer: { pid(): number };
  send(request: ClientRequest): Promise<ClientResponse>;
  setRules(rules: readonly RuleInput[]): Promise<void>;
  /** What reached the upstream, in order. */
  upstreamRequests(): readonly ReceivedRequest[];
  /** What has reached the policy provider so far, in order. */
  providerCalls(): Promise<SidebandCall[]>;
  /** Kong's log with the plugin server's output. */
  log(): string;
  /** Whether the plugin logged such a line through Kong. */
  logged(level: 'error' | 'warn', line: RegExp): boolean;
  /** Forgets upstream requests and provider calls. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts everything on free ports and a socket in a temporary folder. Whatever fails on the way, what was started is ended.
 */
export function startRig(options: RigOptions): Promise<Rig> {
  return assembled((closing) => assemble(options, closing));
}

async function assemble(options: RigOptions, closing: Closing): Promise<Rig> {
  const folder = closing.folder('ping-auth-rig-');
  const authority = await createAuthority();
  const leaf = await authority.issue();
  const upstream = await startUpstream();
  closing.add(() => upstream.close());
  const provider = await startPolicyProvider({ secret: RIG_SECRET, tls: leaf, rules: options.rules ?? [] });
  closing.add(() => provider.close());

  const kong = await startKong({
    conf: {
      proxy_listen: '127.0.0.1:0',
      ssl_cert: leaf.cert,
      ssl_cert_key: leaf.key,
      ...(await hostConf(options.host, folder, options.pluginServerArgs ?? COLD)),
      ...options.kong,
      prefix: folder,
    },
    declarativeConfig: declarativeConfig(options, upstream.url, { url: provider.url, ca: authority.cert }),
  });
  closing.add(() => kong.stop());
  // Should the test process die without closing: the plugin server must not outlive it.
  const killPluginServer = () => {
    const pid = kong.pid('ping-auth');
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  };
  process.once('exit', killPluginServer);
  closing.add(() => process.off('exit', killPluginServer));
  const kongUrl = `http://127.0.0.1:${kong.proxyPort}`;

  return {
    kongUrl,
    kongTlsUrl: kong.tlsPort === 0 ? undefined : `https://127.0.0.1:${kong.tlsPort}`,
    ca: authority.cert,
    providerUrl: provider.url,
    pluginServer: { pid: () => kong.pid('ping-auth') ?? 0 },
    send: (request) => sendRequest(kongUrl, request),
    setRules: async (rules) => provider.setRules(rules),
    upstreamRequests: () => upstream.requests,
    providerCalls: async () => [...provider.requests],
    log: () => kong.log.text(),
    logged: (level, line) => pluginLines(kong.log.text(), level).some((text) => line.test(text)),
    clear: async () => {
      upstream.clear();
      provider.clear();
    },
    close: () => closing.close(),
  };
}

/** Over MsgPack:1 Kong puts the plugin's name before what a plugin logs. */
function pluginLines(log: string, level: string): string[] {
  const start = `[${level}] `;
  return log
    .split('\n')
    .filter((line) => line.startsWith(start))
    .map((line) => line.slice(start.length).replace(/^\[ping-auth\] /, ''));
}

function declarativeConfig(
  options: RigOptions,
  upstreamUrl: string,
  provider: { readonly url: string; readonly ca: string },
): Record<string, unknown> {
  const base = pingAuth(provider, RIG_SECRET).config;
  const given = typeof options.config === 'function' ? options.config(base) : options.config;
  const plugin = (config: Config = {}) => pingAuth(provider, RIG_SECRET, { ...given, ...config });
  const special = (options.routes ?? []).map(({ paths, hosts = [], config, upstream = upstreamUrl }, i) =>
    routedService(`special-${i}`, new URL(upstream).origin, [plugin(config)], { paths, hosts }),
  );
  const rest = routedService('everything-else', upstreamUrl, [plugin()]);
  return kongYml([...special, rest], companionPlugins(options.host));
}
