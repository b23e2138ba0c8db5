import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { assembled, type Closing } from '../../dev/closing.js';
import { type ClientRequest, sendRequest } from '../../dev/http-client.js';
import { kongYml, pingAuth, pluginServerConf, routedService } from '../../dev/kong/config/gateway-config.js';
import { startKong } from '../../dev/kong/start-kong.js';
import { HTTP_INCLUDE } from '../../dev/kong-connection/request-variable.js';
import { startPolicyProvider } from '../../dev/policy-provider/server.js';
import { startUpstream } from '../../dev/upstream/server.js';
import { until } from './until.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SECRET = 'executed-code-secret';

/** How often each piece of code ran, by file (`src/sideband/request-context.ts`). A piece is a function or a block of one, named by its place. */
export type Executed = ReadonlyMap<string, Readonly<Record<string, number>>>;

export interface ObservedServer {
  /** Sends a request through Kong, the plugin server and the policy provider; resolves to what ran in the plugin server for it. */
  executedBy(request: ClientRequest): Promise<Executed>;
  close(): Promise<void>;
}

/**
 * A plugin server in a process of its own with the stand-in Kong, a policy provider that permits everything unchanged, and an
 * upstream. Its files are compiled one by one, so that V8's count of each is that of the file in `src/`.
 */
export function startObservedServer(): Promise<ObservedServer> {
  return assembled((closing) => start(closing));
}

async function start(closing: Closing): Promise<ObservedServer> {
  const folder = closing.folder('executed-');
  const compiled = compile(folder);
  const provider = await startPolicyProvider({ secret: SECRET });
  closing.add(() => provider.close());
  const upstream = await startUpstream();
  closing.add(() => upstream.close());
  await compiled;

  const counts = join(folder, 'counts.json');
  const socket = join(folder, 's');
  const node = `env EXECUTED_CODE=${counts} ${process.execPath} --import ${ROOT}test/support/executed-code.mjs`;
  const server = join(folder, 'src/cli/ping-auth-pluginserver.js');
  const kong = await startKong({
    conf: {
      proxy_listen: '127.0.0.1:0',
      prefix: folder,
      nginx_http_include: HTTP_INCLUDE,
      ...pluginServerConf('ping-auth', socket, {
        start: `${node} ${server} --socket ${socket}`,
        query: `${process.execPath} ${server} --dump`,
      }),
    },
    declarativeConfig: kongYml([routedService('upstream', upstream.url, [pingAuth(provider, SECRET)])]),
  });
  closing.add(() => kong.stop());
  const url = `http://127.0.0.1:${kong.proxyPort}`;
  const pid = kong.pid('ping-auth');
  if (pid === undefined) throw new Error(`the plugin server did not start:\n${kong.log.text()}`);

  /** Counts since the last call. */
  const take = async (): Promise<Executed> => {
    rmSync(counts, { force: true });
    process.kill(pid, 'SIGUSR2');
    await until('the plugin server has written its counts', () => existsSync(counts));
    const prefix = `${pathToFileURL(folder)}/`;
    const byUrl = Object.entries(
      JSON.parse(readFileSync(counts, 'utf8')) as Record<string, Record<string, number>>,
    );
    return new Map(
      byUrl
        .filter(([url]) => url.startsWith(`${prefix}src/`))
        .map(([url, pieces]) => [url.slice(prefix.length).replace(/\.js$/, '.ts'), pieces]),
    );
  };
  return {
    async executedBy(request) {
      await take();
      const { status, body } = await sendRequest(url, request);
      if (status !== 200) throw new Error(`${status} ${body}\n${kong.log.text()}`);
      return take();
    },
    close: () => closing.close(),
  };
}

/** Each file of src/ by itself, in the same folders below another one. */
async function compile(folder: string): Promise<void> {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' });
  await build({
    absWorkingDir: ROOT,
    entryPoints: files
      .filter((file) => /\.ts$/.test(file) && !/\.(test|d)\.ts$/.test(file) && !file.startsWith('inspector/'))
      .map((file) => `src/${file}`),
    outbase: '.',
    outdir: folder,
    platform: 'node',
    format: 'esm',
    target: 'node20.18',
  });
  for (const name of ['package.json', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name));
}
