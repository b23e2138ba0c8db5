import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import { DEFAULTS, type PluginServerOptions } from '../../src/pluginserver/options.js';
import type { PhaseEvent, PluginModule } from '../../src/pluginserver/plugin-module.js';
import { PluginServer } from '../../src/pluginserver/run-server.js';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly event?: string;
  readonly err?: unknown;
}

// biome-ignore lint/suspicious/noExplicitAny: kong-pdk's bridge has every method there could be
export type AnyKong = any;
export type PhaseFunction = (kong: AnyKong, event: PhaseEvent) => unknown;

export interface Probe {
  readonly server: PluginServer;
  readonly socketPath: string;
  readonly folder: string;
  readonly log: LogLine[];
  connect(): Promise<KongConnection>;
}

/**
 * Cleans up when the test that runs now is over, in reverse order. Not by an `afterEach` in this file: test files share a
 * process and what they import, so it would be registered for the first of them only.
 */
export function atEnd(cleanup: () => unknown): void {
  onTestFinished(async () => void (await cleanup()));
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ps-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A module `probe` whose instances run the given phases; `construct` sees what the constructor gets. */
export function probeModule(
  phases: Record<string, PhaseFunction>,
  construct: (config: unknown, host: unknown) => void = () => {},
): PluginModule {
  class Plugin {
    constructor(config: unknown, host: unknown) {
      construct(config, host);
    }
  }
  for (const [name, phase] of Object.entries(phases))
    Object.defineProperty(Plugin.prototype, name, { value: phase });
  return { Name: 'probe', Version: '1.2.3', Priority: 7, Schema: [{ f: { type: 'string' } }], Plugin };
}

/** Starts a server in this process; it is stopped when the test ends. */
export async function probe(
  module: PluginModule,
  options: Partial<PluginServerOptions> = {},
): Promise<Probe> {
  const folder = temporaryFolder();
  const socketPath = join(folder, 's.sock');
  const log: LogLine[] = [];
  const write =
    (level: string) =>
    (fields: object, message: string): void => {
      log.push({ ...fields, level, message });
    };
  const server = await PluginServer.start({
    ...DEFAULTS,
    plugins: [module],
    logger: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    socketPath,
    takeover: false,
    bodyDirs: [folder],
    ...options,
  });
  atEnd(() => server.stop(0));
  return {
    server,
    socketPath,
    folder,
    log,
    connect: async () => {
      const side = await KongConnection.connect(socketPath);
      atEnd(() => side.destroy());
      return side;
    },
  };
}
