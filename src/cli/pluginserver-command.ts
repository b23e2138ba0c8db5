import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULTS, type ServerLogger } from '../pluginserver/options.js';
import type { PluginHost } from '../pluginserver/plugin-host.js';
import type { PluginManifest, PluginModule } from '../pluginserver/plugin-module.js';
import type { LogLevel } from '../telemetry/logger.js';
import type { DecisionLines } from '../telemetry/telemetry.js';
import { VERSION } from '../version.js';
import { type HostAndPort, hostAndPort, wholeNumber } from './option-values.js';
import { manifestVariant } from './plugin-variant.js';
import { EXIT } from './terminal.js';

const DECISION_LINES: readonly DecisionLines[] = ['all', 'changes', 'refusals'];

interface Arguments {
  readonly socket?: string;
  readonly dump?: boolean;
  readonly takeover: boolean;
  readonly workers: number;
  readonly bodyDir?: string[];
  readonly maxBodyBytes: number;
  readonly maxFrameBytes: number;
  readonly maxEvents: number;
  readonly maxInflightBytes: number;
  readonly maxConnections: number;
  readonly eventTimeout: number;
  readonly grace: number;
  readonly instanceIdle: number;
  readonly logLevel: LogLevel;
  readonly decisions: DecisionLines;
  readonly logFile?: string;
  readonly recordFile?: string;
  readonly recordRate: number;
  readonly admin?: HostAndPort;
  readonly name?: string;
  readonly phases: 'access' | 'access,response';
  readonly warmUp: boolean;
}

export interface ServerSetup {
  /** Loaded late: Kong waits for --dump at its start, and --help needs nothing of it. */
  loadPlugin(): Promise<PluginModule>;
  /** The same without the plugin's code, for a quick --dump. */
  loadManifest?(): Promise<PluginManifest>;
}

/** Runs the plugin server, or prints what was asked for; resolves to the exit code. */
export async function run(argv: readonly string[], setup: ServerSetup): Promise<number> {
  const command = defineCommand();
  const options = command.parse([...argv]).opts<Arguments>();
  if (options.dump === true) {
    const { dumpOf } = await import('../pluginserver/dump.js');
    const manifest = manifestVariant(await (setup.loadManifest?.() ?? setup.loadPlugin()), options);
    process.stdout.write(`${dumpOf([manifest])}\n`);
    return 0;
  }
  const { socket } = options;
  if (socket === undefined) return command.error('error: --socket PATH is missing (or --dump)');
  const plugin = manifestVariant(await setup.loadPlugin(), options);
  const { runServer } = await import('../pluginserver/run-server.js');
  const { Observability } = await import('./observability.js');
  const { memoryBudget } = await import('../plugin/runtime.js');
  const observability = await Observability.start(options);
  const { log } = observability;
  try {
    return await runServer({
      plugins: [plugin],
      logger: log.logger,
      socketPath: socket,
      socketMode: DEFAULTS.socketMode,
      takeover: options.takeover,
      workers: options.workers,
      bodyDirs: options.bodyDir,
      maxBodyBytes: options.maxBodyBytes,
      maxFrameBytes: options.maxFrameBytes,
      memory: memoryBudget(),
      maxEvents: options.maxEvents,
      maxConnections: options.maxConnections,
      eventTimeoutMs: options.eventTimeout * 1000,
      graceMs: options.grace * 1000,
      instanceIdleMs: options.instanceIdle * 1000,
      report: (host) => observability.report(host),
      onStart: (server) => observability.serve(server),
      ...(options.warmUp && { onServing: (host: PluginHost) => void warmUpFor(host, log.logger) }),
    });
  } catch (error) {
    log.logger.error({ event: 'not_started', err: error }, 'plugin server could not start');
    return 1;
  } finally {
    observability.close();
    // A plugin's idle connections would keep the process alive.
    setImmediate(() => process.exit());
  }
}

/** Until Kong sends an event: real ones teach the compiler as well. */
async function warmUpFor(host: PluginHost, logger: ServerLogger): Promise<void> {
  const { warmUp } = await import('./warm-up/warm-up.js');
  try {
    const requests = await warmUp(() => host.counts.events === 0 && !host.draining);
    logger.debug({ event: 'warm_up', requests }, 'the warm-up is over');
  } catch (err) {
    logger.warn({ event: 'warm_up', err }, 'the warm-up failed; the first requests will be slower');
  }
}

/** The command line of `ping-auth-pluginserver`; docs/command-line.md is made from it. */
export function defineCommand(): Command {
  return new Command('ping-auth-pluginserver')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.usage))
    .description('Serves the ping-auth plugin to Kong Gateway over a unix socket (ProtoBuf:1).')
    .version(VERSION)
    .option('--socket <path>', "unix socket to listen on; Kong's pluginserver_ping_auth_server_socket")
    .option('--dump', "print the JSON that Kong's query_cmd expects, and exit")
    .option('--takeover', 'take the socket over from a server that still listens there', true)
    .option('--no-takeover', 'refuse to start when a server listens on the socket')
    .addOption(
      new Option('--workers <n>', "processes that serve requests; 'auto': half the processors, at most 4")
        .default(1)
        .argParser((text) => (text === 'auto' ? automaticWorkers() : wholeNumber(1, 64)(text))),
    )
    .option(
      '--body-dir <path...>',
      'read request bodies that nginx put into files only from below these folders (default: wherever nginx puts them)',
    )
    .addOption(bytes('--max-body-bytes <n>', 'largest request body read from a file', DEFAULTS.maxBodyBytes))
    .addOption(bytes('--max-frame-bytes <n>', 'largest message taken from Kong', DEFAULTS.maxFrameBytes))
    .addOption(
      new Option(
        '--max-inflight-bytes <n>',
        'memory for messages in progress, per process; beyond it, requests and responses with a body get 503 before it is read',
      )
        .default(256 * 1024 * 1024)
        .argParser(wholeNumber(1, 2 ** 40)),
    )
    .addOption(
      count(
        '--max-events <n>',
        'requests in progress; further ones get 503. Requests whose body is still arriving are counted apart, up to a quarter of this',
        DEFAULTS.maxEvents,
      ),
    )
    .addOption(
      count(
        '--max-connections <n>',
        'connections of Kong; requests on further ones get 503',
        DEFAULTS.maxConnections,
      ),
    )
    .addOption(
      seconds(
        '--event-timeout <s>',
        'seconds after which a phase is ended with 500',
        DEFAULTS.eventTimeoutMs / 1000,
      ),
    )
    .addOption(
      seconds(
        '--grace <s>',
        'seconds that requests in progress have to finish at SIGTERM',
        DEFAULTS.graceMs / 1000,
      ),
    )
    .addOption(
      seconds(
        '--instance-idle <s>',
        'seconds after which a configuration without requests is dropped',
        DEFAULTS.instanceIdleMs / 1000,
      ),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe lines that are logged')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option(
        '--decisions <which>',
        'decisions that get a line on standard output; the log file gets all of them',
      )
        .choices(DECISION_LINES)
        .default('changes'),
    )
    .option(
      '--log-file <path>',
      'write uncut log lines to this file as well (Kong cuts lines at 2048 bytes); reopened on SIGHUP and SIGUSR1',
    )
    .option(
      '--record-file <path>',
      'write the messages to and from the policy provider to this file, redacted, for ping-auth replay; at 64 MB it is renamed, three older ones are kept as <path>.1 to .3',
    )
    .addOption(
      new Option(
        '--record-rate <share>',
        'with --record-file: the share of requests that is recorded, 0 to 1',
      )
        .default(1)
        .argParser(share),
    )
    .addOption(
      new Option(
        '--admin <host:port>',
        'serve /metrics, /health/live and /health/ready there, without authentication',
      ).argParser(hostAndPort),
    )
    .addOption(
      new Option('--phases <phases>', 'access: no response phase, so that responses can be streams')
        .choices(['access', 'access,response'])
        .default('access,response'),
    )
    .option(
      '--no-warm-up',
      "do not run requests of its own, in memory, between the start and Kong's first event",
    )
    .addOption(
      new Option('--name <name>', 'name of the plugin in Kong (default: "ping-auth")').argParser(pluginName),
    );
}

/** Kong needs the other half; beyond four the policy provider is the bottleneck. */
function automaticWorkers(): number {
  return Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2)));
}

function pluginName(text: string): string {
  if (/^[a-z][a-z0-9-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError('lower-case letters, digits and hyphens are expected.');
}

function bytes(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).default(fallback).argParser(wholeNumber(1, 2 ** 31));
}

function count(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).default(fallback).argParser(wholeNumber(1, 1_000_000));
}

function seconds(flags: string, description: string, fallback: number): Option {
  return new Option(flags, description).default(fallback).argParser((text) => {
    const value = Number(text);
    if (text.trim() === '' || !(value >= 0 && value <= 2_000_000)) {
      throw new InvalidArgumentError('a number of seconds is expected.');
    }
    return value;
  });
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1)) {
    throw new InvalidArgumentError('a number from 0 to 1 is expected.');
  }
  return value;
}
