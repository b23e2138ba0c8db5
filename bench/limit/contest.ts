import type { Closing } from '../../dev/closing.js';
import { type Lane, openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { benchConfig } from '../support/bench-config.js';
import { type LoadResult, load, warmUp } from '../support/load.js';
import { type PluginServerProcess, startOurs, startYardstick } from '../support/plugin-servers.js';
import { median } from '../support/report.js';
import { ANSWERS, type LimitCase } from './cases.js';

export interface ContestOptions {
  readonly cases: readonly LimitCase[];
  /** How many at a time; measured one after the other. */
  readonly connections: readonly number[];
  readonly rounds: number;
  readonly roundMs: number;
  /** Requests that each server sees before anything is measured, shared among the cases. */
  readonly warmUp: number;
  /** Further bundles of the plugin server by name; each takes its turn. */
  readonly others: ReadonlyMap<string, string>;
}

/** Medians over the rounds. Times in milliseconds; a ratio is taken within a round, and `ratios` are their medians. */
export interface Compared {
  readonly case: LimitCase;
  readonly connections: number;
  readonly server: string;
  readonly own: Figures;
  readonly yardstick: Figures;
  readonly ratios: Figures;
}

type Figures = Readonly<Record<(typeof FIGURES)[number], number>>;
const FIGURES = ['cpu', 'p50', 'perSecond'] as const;

interface Contestant {
  readonly name: string;
  readonly pid: number;
  readonly lanes: ReadonlyMap<LimitCase, readonly Lane[]>;
}

/** Plays Kong for our plugin server, for others and for the yardstick in turns; the order is turned round every time. */
export async function contest(options: ContestOptions, closing: Closing): Promise<Compared[]> {
  const provider = await startEchoProcess(closing, { answers: ANSWERS });
  const contestants: Contestant[] = [];
  const enter = async (name: string, server: PluginServerProcess) => {
    closing.add(() => server.end());
    const lanes = new Map<LimitCase, readonly Lane[]>();
    for (const one of options.cases) {
      const config = benchConfig({ url: `${provider.url}/${one.name}` });
      const opened = await openLanes(PROTOBUF, server.socket, config, Math.max(...options.connections));
      closing.add(() => opened.map((lane) => lane.close()));
      await warmUp(opened, one.request, options.warmUp / options.cases.length);
      lanes.set(one, opened);
    }
    contestants.push({ name, pid: server.pid, lanes });
  };
  await enter('yardstick', await startYardstick());
  await enter('ours', await startOurs());
  for (const [name, script] of options.others) await enter(name, await startOurs({ script }));

  const compared: Compared[] = [];
  for (const one of options.cases) {
    for (const connections of options.connections) {
      const results = await rounds(contestants, one, connections, options);
      const [yardstick = [], ...servers] = results;
      servers.forEach((own, i) => {
        compared.push({
          ...{ case: one, connections, server: contestants[i + 1]?.name ?? '' },
          own: figures((name) => own.map((result) => result[name])),
          yardstick: figures((name) => yardstick.map((result) => result[name])),
          ratios: figures((name) =>
            own.map((result, n) => result[name] / (yardstick[n]?.[name] ?? Number.NaN)),
          ),
        });
      });
    }
  }
  return compared;
}

/** For each contestant its results, round by round. */
async function rounds(
  contestants: readonly Contestant[],
  one: LimitCase,
  connections: number,
  options: ContestOptions,
): Promise<LoadResult[][]> {
  const results: LoadResult[][] = contestants.map(() => []);
  for (let round = 0; round < options.rounds; round++) {
    const order = [...contestants.entries()];
    if (round % 2 === 1) order.reverse();
    for (const [i, { lanes, pid }] of order) {
      const used = (lanes.get(one) ?? []).slice(0, connections);
      results[i]?.push(await load(used, one.request, options.roundMs, pid));
    }
  }
  return results;
}

function figures(values: (name: keyof Figures) => number[]): Figures {
  return { cpu: median(values('cpu')), p50: median(values('p50')), perSecond: median(values('perSecond')) };
}
