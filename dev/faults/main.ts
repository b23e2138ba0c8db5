import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { type CampaignOptions, type FaultReport, isSurvived, runFault } from './campaign.js';
import { ALL_FAULTS } from './kinds/all-faults.js';
import { startLandscape } from './landscape.js';
import type { Phase } from './policy-behaviour.js';
import { printHeadings, printReport } from './table.js';

const BUNDLE = fileURLToPath(new URL('../../dist/bin/ping-auth-pluginserver.mjs', import.meta.url));
const BOTH: readonly Phase[] = ['access', 'response'];

const flags = new Command('faults')
  .description(
    'Injects one fault after the other under load, and counts what passed. Ends with 1 when anything did.',
  )
  .option('--only <text>', 'faults whose name contains this')
  .option('--concurrency <n>', 'requests under way at any time', Number, 200)
  .option('--lasts <s>', 'seconds that a lasting fault lasts', Number, 3)
  .option('--delay <ms>', 'delay of the policy provider in the phase that is struck', Number, 150)
  .parse()
  .opts<{ only?: string; concurrency: number; lasts: number; delay: number }>();

const options: CampaignOptions = {
  concurrency: flags.concurrency,
  lastsMs: flags.lasts * 1000,
  delayMs: flags.delay,
  recoveryMs: 30_000,
};
if (!existsSync(BUNDLE)) throw new Error('the plugin server is not built: npm run build');

const started = performance.now();
const reports: FaultReport[] = [];
const landscape = await startLandscape({ bundle: BUNDLE, workers: 2 });
try {
  printHeadings();
  for (const fault of ALL_FAULTS.filter(({ name }) => name.includes(flags.only ?? ''))) {
    for (const phase of fault.phases ?? BOTH) {
      const report = await runFault(landscape, fault, phase, options);
      printReport(report);
      reports.push(report);
    }
  }
} finally {
  await landscape.close();
}

const sum = (count: (one: FaultReport) => number) => reports.reduce((total, one) => total + count(one), 0);
const survived = reports.filter(isSurvived).length;
console.log(
  `\n${reports.length} faults in ${Math.round((performance.now() - started) / 1000)} s on ${availableParallelism()} processors, ` +
    `${flags.concurrency} requests at a time, ${sum(({ sent }) => sent)} in all: ` +
    `${sum(({ hitsWithoutPermit }) => hitsWithoutPermit)} upstream hits without a permit, ` +
    `${sum(({ passedWithoutSay }) => passedWithoutSay)} responses passed without the policy's say, ` +
    `${sum(({ mixedUp }) => mixedUp)} mixed up; ${survived} of ${reports.length} survived.`,
);
process.exit(survived === reports.length ? 0 : 1);
