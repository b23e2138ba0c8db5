import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { createAuthority } from '../certificates.js';
import { startProcess } from '../child-process.js';
import { assembled, type Closing } from '../closing.js';
import { kongYml, pingAuth, pluginServerConf, routedService } from '../kong/config/gateway-config.js';
import { type RunningMcpServer, startMcpServer } from '../mcp/mcp-server.js';
import { type RunningModernServer, startModernServer } from '../mcp/modern-server.js';
import { type ProviderProcess, startProviderProcess } from '../policy-provider/process.js';
import type { ReceivedRequest } from '../upstream/answers.js';

/** 0: any free port. */
export interface Ports {
  readonly kong: number;
  readonly provider: number;
  readonly upstream: number;
}

/** The four processes of the demo: Kong stand-in with the plugin server that it starts, policy provider, upstream. And two MCP servers. */
export interface DemoStack {
  readonly kongUrl: string;
  readonly providerUrl: string;
  readonly upstreamUrl: string;
  /** Behind Kong's `/mcp`. */
  readonly mcpServer: RunningMcpServer;
  /** One of revision 2026-07-28, behind Kong's `/customers`. */
  readonly modernServer: RunningModernServer;
  /** PEM of the CA behind the policy provider's certificate. */
  readonly ca: string;
  /** Holds kong.conf, kong.yml, the certificates and the log. */
  readonly folder: string;
  /** Of the plugin server, with the messages. */
  readonly logFile: string;
  readonly provider: () => ProviderProcess;
  shootProvider(): Promise<void>;
  reviveProvider(): Promise<void>;
  upstreamRequests(): Promise<readonly ReceivedRequest[]>;
  /** What the stand-in logged, with the plugin server's lines. */
  kongOutput(): string;
  close(): Promise<void>;
}

const SECRET = 'demo-secret';
const LOG_NAME = 'ping-auth.log';
const RULES = fileURLToPath(new URL('./rules.yaml', import.meta.url));
/** Version 2 of the policy, the shadow: tokens of the old login are no longer accepted. */
const STRICTER = `
  - name: tokens of the old login
    match: { phase: request, path: /bank/**, header: { authorization: Bearer carol } }
    deny: { status: 401, body: Sign in again }
`;
const SHADOW_SECRET = 'demo-shadow-secret';
const PLUGIN_SERVER = fileURLToPath(new URL('../../dist/bin/ping-auth-pluginserver.mjs', import.meta.url));

/** @throws Error that says what to do: build first, choose another port. */
export async function startDemoStack(ports: Ports): Promise<DemoStack> {
  if (!existsSync(PLUGIN_SERVER)) throw new Error('the plugin server is not built: npm run build');
  return assembled((closing) => assemble(ports, closing));
}

async function assemble(ports: Ports, closing: Closing): Promise<DemoStack> {
  const folder = closing.folder('ping-auth-demo-');
  const ca = await writeCertificates(folder);

  const upstream = await naming('upstream', '--upstream-port', () =>
    startProcess<{ url: string }>('../upstream/main.ts', import.meta.url, {
      args: ['--port', String(ports.upstream)],
    }),
  );
  closing.add(() => upstream.end());

  const mcpServer = await startMcpServer();
  closing.add(() => mcpServer.close());
  const modernServer = await startModernServer();
  closing.add(() => modernServer.close());

  const startProvider = (port: number) =>
    naming('policy provider', '--provider-port', () =>
      startProviderProcess({
        port,
        rulesFile: RULES,
        secret: SECRET,
        tls: { certFile: join(folder, 'provider.pem'), keyFile: join(folder, 'provider.key') },
      }),
    );
  let provider = await startProvider(ports.provider);
  closing.add(() => provider.end());
  const { url: providerUrl } = provider;

  const shadowRules = join(folder, 'rules-version-2.yaml');
  writeFileSync(shadowRules, readFileSync(RULES, 'utf8').replace(/^rules:\n/m, `rules:${STRICTER}`));
  const shadow = await startProviderProcess({
    ...{ port: 0, rulesFile: shadowRules, secret: SHADOW_SECRET },
    tls: { certFile: join(folder, 'provider.pem'), keyFile: join(folder, 'provider.key') },
  });
  closing.add(() => shadow.end());

  const upstreams = [upstream.ready.url, mcpServer.url, modernServer.url] as const;
  const files = writeKongFiles(folder, ports.kong, upstreams, [providerUrl, shadow.url], ca);
  const kong = await naming('Kong stand-in', '--kong-port', () =>
    startProcess<{ url: string }>('../kong/main.ts', import.meta.url, {
      args: ['--conf', files.conf, '--config', files.yml, '--verbose'],
    }),
  );
  closing.add(() => kong.end());

  return {
    kongUrl: kong.ready.url,
    providerUrl,
    upstreamUrl: upstream.ready.url,
    mcpServer,
    modernServer,
    ca,
    folder,
    logFile: join(folder, LOG_NAME),
    provider: () => provider,
    shootProvider: () => provider.end('SIGKILL'),
    reviveProvider: async () => {
      provider = await startProvider(Number(new URL(providerUrl).port));
    },
    upstreamRequests: async () =>
      (await (await fetch(`${upstream.ready.url}/_requests`)).json()) as ReceivedRequest[],
    kongOutput: () => kong.output(),
    close: () => closing.close(),
  };
}

async function writeCertificates(folder: string): Promise<string> {
  const authority = await createAuthority();
  const leaf = await authority.issue();
  writeFileSync(join(folder, 'ca.pem'), authority.cert);
  writeFileSync(join(folder, 'provider.pem'), leaf.cert);
  writeFileSync(join(folder, 'provider.key'), leaf.key, { mode: 0o600 });
  return authority.cert;
}

/** The two files of a real Kong, as an admin would write them. */
function writeKongFiles(
  folder: string,
  port: number,
  [upstreamUrl, mcpUrl, modernUrl]: readonly [string, string, string],
  [providerUrl, shadowUrl]: readonly [string, string],
  ca: string,
): { readonly conf: string; readonly yml: string } {
  const socket = join(folder, 'ping-auth.socket');
  const command = `${process.execPath} ${PLUGIN_SERVER}`;
  const conf = {
    proxy_listen: `127.0.0.1:${port}`,
    prefix: folder,
    plugins: 'bundled,ping-auth',
    ...pluginServerConf('ping-auth-server', socket, {
      start: `${command} --socket ${socket} --body-dir ${folder} --log-file ${join(folder, LOG_NAME)}`,
      query: `${command} --dump`,
    }),
  };
  const service = (name: string, url: string, special: object) => {
    const plugin = pingAuth({ url: providerUrl, ca }, SECRET, { enable_debug_logging: true, ...special });
    return routedService(name, url, [plugin], { paths: [`/${name}`] });
  };
  const declarative = kongYml([
    service('bank', upstreamUrl, { shadow_service_url: shadowUrl, shadow_shared_secret: SHADOW_SECRET }),
    service('mcp', new URL(mcpUrl).origin, { mcp: true }),
    service('customers', new URL(modernUrl).origin, { mcp: true }),
  ]);
  const files = { conf: join(folder, 'kong.conf'), yml: join(folder, 'kong.yml') };
  writeFileSync(
    files.conf,
    Object.entries(conf)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  );
  writeFileSync(files.yml, stringify(declarative));
  return files;
}

async function naming<T>(what: string, flag: string, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    const hint = /taken|EADDRINUSE/.test(words)
      ? `\nChoose another port: npm run demo -- ${flag} N (0: any free one)`
      : '';
    throw new Error(`the ${what} did not start: ${words}${hint}`);
  }
}
