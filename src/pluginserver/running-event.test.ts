import { expect, test, vi } from 'vitest';
import { Instance } from './instances.js';
import { ServerCounts, type ServerLogger } from './options.js';
import type { PhaseEvent, PluginModule } from './plugin-module.js';
import { RunningEvent } from './running-event.js';

const silent = () => {};
const logger: ServerLogger = { debug: silent, info: silent, warn: silent, error: silent };

test('a restart that is not granted: the plugin ends the event itself', async () => {
  const told: boolean[] = [];
  class Plugin {
    async access(_kong: unknown, event: PhaseEvent): Promise<void> {
      told.push(await event.requestRestart());
    }
  }
  const module: PluginModule = { Name: 'p', Version: '1.0.0', Priority: 1, Schema: [], Plugin };
  const ends: string[] = [];
  const event = new RunningEvent(
    1,
    'access',
    {
      counts: new ServerCounts(),
      logger,
      bodyLimits: { maxBodyBytes: 1, bodyDirs: [] },
      eventTimeoutMs: 10_000,
      uploadBegins: () => true,
      uploadEnds: silent,
      startClock: () => 0,
      claimRestart: async () => false,
      kongLine: () => undefined,
    },
    {
      out: { add: silent, flush: silent, flushSoon: silent },
      eventReturned: () => ends.push('returned'),
      eventDecided: () => ends.push('refused'),
      closeForRestart: () => ends.push('closed'),
    },
  );
  event.run(new Instance({ id: 1, name: 'p', config: '{}', startedAt: 0 }, module, logger));
  await vi.waitFor(() => expect(ends).toHaveLength(1));
  expect(told).toEqual([false]);
  expect(ends).toEqual(['returned']);
});
