import type { PluginHost } from '../pluginserver/plugin-host.js';
import type { PluginServer } from '../pluginserver/run-server.js';
import type { Supervisor } from '../pluginserver/workers/supervisor.js';
import type { ProviderStatus } from '../sideband/sideband-runtime.js';
import type { AdminCallbacks, AdminServer, Readiness } from '../telemetry/admin.js';
import type { ExchangeSink } from '../telemetry/exchange-recorder.js';
import { createLog, type Log, type LogLevel } from '../telemetry/logger.js';
import type { Metrics, MetricsSnapshot } from '../telemetry/metrics.js';
import type { DecisionLines } from '../telemetry/telemetry.js';
import { boundHeapGrowth } from './heap-growth.js';
import type { HostAndPort } from './option-values.js';

export interface ObservabilityOptions {
  readonly logLevel: LogLevel;
  readonly decisions: DecisionLines;
  /** Memory for messages in progress, bytes. */
  readonly maxInflightBytes?: number | undefined;
  readonly logFile?: string | undefined;
  /** Exchanges with the policy provider go there; undefined: none is recorded. */
  readonly recordFile?: string | undefined;
  /** Share of the requests that is recorded, 0 to 1. */
  readonly recordRate?: number | undefined;
  /** undefined: no metrics are collected. */
  readonly admin?: HostAndPort | undefined;
}

/** What a worker process tells its parent when the parent is asked. */
interface WorkerReport {
  readonly metrics: MetricsSnapshot;
  readonly providers: readonly ProviderStatus[];
}

/** On `kong reload` the old server holds the port for up to ten seconds more. */
const ADMIN_RETRY_MS = 1000;

/** Log, metrics and admin server of one process of the plugin server, put together. */
export class Observability {
  readonly log: Log;
  readonly #metrics: Metrics | undefined;
  readonly #providers: () => readonly ProviderStatus[];
  readonly #address: HostAndPort | undefined;
  readonly #recorder: ExchangeSink | undefined;
  #supervisor: Supervisor | undefined;
  #admin: AdminServer | undefined;
  #closed = false;

  private constructor(
    log: Log,
    metrics: Metrics | undefined,
    providers: () => readonly ProviderStatus[],
    address: HostAndPort | undefined,
    recorder: ExchangeSink | undefined,
  ) {
    this.log = log;
    this.#metrics = metrics;
    this.#providers = providers;
    this.#address = address;
    this.#recorder = recorder;
    const reopen = () => this.#reopenLogs();
    process.on('SIGHUP', reopen);
    process.on('SIGUSR1', reopen);
  }

  /** Before the first instance starts: all instances of this process report here. */
  static async start(options: ObservabilityOptions): Promise<Observability> {
    const log = createLog({ level: options.logLevel, file: options.logFile });
    const { createTelemetry } = await import('../telemetry/telemetry.js');
    const { memoryBudget, useMemoryBudget, useTelemetry } = await import('../plugin/runtime.js');
    useMemoryBudget(options.maxInflightBytes, boundHeapGrowth);
    const { knownProviders } = await import('../sideband/sideband-client.js');
    let metrics: Metrics | undefined;
    if (options.admin !== undefined) {
      const { createMetrics } = await import('../telemetry/metrics.js');
      metrics = await createMetrics();
      metrics.watch({ providers: knownProviders, inflightBytes: () => memoryBudget().held });
    }
    const recorder = await startRecorder(options, log);
    useTelemetry(createTelemetry(log, metrics, options.decisions, recorder));
    return new Observability(log, metrics, () => knownProviders(), options.admin, recorder);
  }

  /** For the parent, in a worker. */
  async report(host: PluginHost): Promise<WorkerReport | undefined> {
    if (this.#metrics === undefined) return undefined;
    this.#watch(host);
    return { metrics: await this.#metrics.snapshot(), providers: this.#providers() };
  }

  /** In the process that holds the socket, once it is open. */
  serve(server: PluginServer | Supervisor): void {
    if ('reports' in server) this.#supervisor = server;
    else this.#watch(server.host);
    if (this.#address !== undefined) void this.#startAdmin(this.#address);
  }

  close(): void {
    this.#closed = true;
    void this.#admin?.close();
    this.#recorder?.close();
    this.log.close();
  }

  #watch(host: PluginHost): void {
    this.#metrics?.watch({
      eventsInFlight: () => host.eventsInFlight,
      rpcConnections: () => host.connections,
      rpcCounts: () => host.counts,
    });
  }

  async #startAdmin({ host, port }: HostAndPort): Promise<void> {
    const { startAdmin } = await import('../telemetry/admin.js');
    for (let complained = false; !this.#closed; complained = true) {
      try {
        this.#admin = await startAdmin(host, port, this.#callbacks());
        this.log.logger.info(
          { event: 'admin', host: this.#admin.host, port: this.#admin.port },
          'admin server is ready',
        );
        return;
      } catch (err) {
        if (!complained)
          this.log.logger.warn(
            { event: 'admin', address: `${host}:${port}`, err },
            'admin server cannot listen; trying again',
          );
      }
      await new Promise((resolve) => setTimeout(resolve, ADMIN_RETRY_MS).unref());
    }
  }

  #callbacks(): AdminCallbacks {
    return {
      metrics: async () => {
        const { aggregateSnapshots } = await import('../telemetry/metrics.js');
        const own = (await this.#metrics?.snapshot()) ?? [];
        const workers = await this.#workerReports();
        return aggregateSnapshots([own, ...workers.map(({ metrics }) => metrics)]);
      },
      ready: async () =>
        readiness(await this.#workerReports(), this.#supervisor !== undefined, this.#providers()),
    };
  }

  async #workerReports(): Promise<WorkerReport[]> {
    const reports = (await this.#supervisor?.reports()) ?? [];
    return reports as WorkerReport[];
  }

  #reopenLogs(): void {
    this.log.reopen();
    this.#recorder?.reopen();
    for (const pid of this.#supervisor?.pids ?? []) {
      try {
        process.kill(pid, 'SIGHUP');
      } catch {
        // It has just exited; the process that replaces it opens the file itself.
      }
    }
  }
}

async function startRecorder(
  { recordFile, recordRate = 1 }: ObservabilityOptions,
  log: Log,
): Promise<ExchangeSink | undefined> {
  if (recordFile === undefined || recordRate === 0) return undefined;
  const { createExchangeRecorder } = await import('../telemetry/exchange-recorder.js');
  return createExchangeRecorder({
    path: recordFile,
    rate: recordRate,
    clean: (line) => log.clean(line),
    report: (problem, error) =>
      log.logger.warn({ event: 'recording', file: recordFile, detail: error?.message }, problem),
  });
}

/**
 * Ready means: requests are served. A provider whose circuit is open is shown, and does not count: it would make all
 * gateways leave at once, and clients would get less than the error that says why.
 */
function readiness(workers: WorkerReport[], hasWorkers: boolean, own: readonly ProviderStatus[]): Readiness {
  const checks: Record<string, string> = { socket: 'open' };
  if (hasWorkers) checks.workers = `${workers.length} serving`;
  for (const { provider, circuit } of [own, ...workers.map(({ providers }) => providers)].flat()) {
    const name = `circuit of ${provider}`;
    if (checks[name] === undefined || circuit !== 'closed') checks[name] = circuit;
  }
  return { ready: !hasWorkers || workers.length > 0, checks };
}
