import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Closing } from '../../dev/closing.js';
import { kongYml, pingAuth, routedService } from '../../dev/kong/config/gateway-config.js';
import { parseKongConf } from '../../dev/kong/config/kong-conf.js';
import { type RunningKong, startKong } from '../../dev/kong/start-kong.js';
import { type PolicyProvider, startPolicyProvider } from '../../dev/policy-provider/server.js';
import { startUpstream } from '../../dev/upstream/server.js';
import { snippet } from '../docs/pages.js';

const STOCK_SERVER = createRequire(import.meta.url).resolve('kong-pdk/bin/kong-js-pluginserver');
const SECRET = 'of-the-stock-host';

export interface StockHost {
  readonly kong: RunningKong;
  readonly provider: PolicyProvider;
  /** How many requests reached the upstream. */
  upstreamRequests(): number;
}

/** Kong with the lines of docs/deployment.md for its own plugin server, the plugin and the guard of an installed package. */
export async function startStockHost(
  packageFolder: string,
  folder: string,
  closing: Closing,
): Promise<StockHost> {
  const run = join(folder, 'run');
  mkdirSync(run);
  const provider = await startPolicyProvider({ secret: SECRET });
  closing.add(() => provider.close());
  const upstream = await startUpstream();
  closing.add(() => upstream.close());
  const lines = snippet('docs/deployment.md', 'ini', 'kong-js-pluginserver')
    .replaceAll('/usr/local/bin/kong-js-pluginserver', `${process.execPath} ${STOCK_SERVER}`)
    .replaceAll('/usr/local/lib/node_modules/kong-plugin-ping-auth', packageFolder)
    .replaceAll('/run/ping-auth', run);
  const guard = parse(readFileSync(join(packageFolder, 'kong/guard/kong.yml'), 'utf8')).plugins;
  const kong = await startKong({
    conf: { proxy_listen: '127.0.0.1:0', prefix: folder, ...parseKongConf(lines) },
    declarativeConfig: kongYml([routedService('all', upstream.url)], [pingAuth(provider, SECRET), ...guard]),
  });
  closing.add(() => kong.stop());
  return { kong, provider, upstreamRequests: () => upstream.requests.length };
}
