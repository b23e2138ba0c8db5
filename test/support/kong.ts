import type { DeclarativeConfig } from '../../dev/kong/config/declarative-config.js';
import type { KongConf } from '../../dev/kong/config/kong-conf.js';
import { startKong as startStandIn } from '../../dev/kong/start-kong.js';
import { kongVersion, startRealKong } from './real-kong.js';

/** What the end-to-end, operations and conformance tests start. */
export interface KongOptions {
  /** `prefix` is a folder of the test's own. */
  readonly conf: KongConf & { readonly prefix: string };
  readonly declarativeConfig: DeclarativeConfig;
}

/** A running Kong: the stand-in, or with the environment variable `KONG` the Kong whose CLI it names. */
export interface RunningKong {
  /** Of the first plain and the first TLS listener; 0 if there is none. */
  readonly proxyPort: number;
  readonly tlsPort: number;
  /** Kong's log with the plugin servers' output; a line is `[level] message`. */
  readonly log: { text(): string };
  /** The process that was started with `start_cmd`; undefined while none runs. */
  pid(pluginServer: string): number | undefined;
  stop(): Promise<void>;
}

/** Path of a Kong's CLI; undefined: the tests run against the stand-in. */
const KONG = process.env.KONG === '' ? undefined : process.env.KONG;

export async function startKong(options: KongOptions): Promise<RunningKong> {
  const kong = await (KONG === undefined ? startStandIn(options) : startRealKong(KONG, options));
  return SHOW_LOGS ? withLogsShown(kong) : kong;
}

/** PING_AUTH_TEST_LOGS=1 npx vitest run test/e2e/… prints what Kong and the plugin server logged, when the test closes them. */
const SHOW_LOGS = process.env.PING_AUTH_TEST_LOGS === '1';

function withLogsShown(kong: RunningKong): RunningKong {
  return {
    ...kong,
    stop: async () => {
      await kong.stop();
      process.stderr.write(`--- log of Kong on port ${kong.proxyPort}\n${kong.log.text()}\n--- end of log\n`);
    },
  };
}

/** What the Kong under test can do; the reason for each `skipIf`. */
export const kongCan = {
  /** Kong before 3.9 does not run the response phase of a request over HTTP/2. */
  bufferHttp2: KONG === undefined || kongVersion(KONG) >= 3.9,
  /** A vault reference to an environment variable is read from the test's own environment, which can change. */
  rereadEnvironment: KONG === undefined,
  /** The stand-in always makes the same choice where Kong follows the random order of a Lua table. */
  repeatTableOrder: KONG === undefined,
};
