import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { ALL_FAULTS, type CampaignOptions, type FaultReport, isSurvived, runFault } from './campaign.js';
import { FAILING_OPEN, type Phase, startFaultStack } from './stack.js';

const HEADINGS = [
  ...['fault', 'strikes in', 'requests', 'as decided', 'other answers', 'upstream hits without a permit'],
  ...['passed without a decision', 'mixed up', 'Kong’s 500 with upstream headers', 'recovered after'],
  ...['worker’s memory', 'others’ p99'],
];

/** A Markdown table: it goes into docs/contributors/reliability.md as it is printed. */
function printHeadings(): void {
  console.log(`| ${HEADINGS.join(' | ')} |`);
  console.log(`| ${HEADINGS.map((_, at) => (at < 2 ? '---' : '---:')).join(' | ')} |`);
}

function printReport(one: FaultReport): void {
  const cells = [
    one.fault,
    one.phase,
    one.sent,
    one.good,
    others(one),
    one.hitsWithoutPermit,
    one.passedUnevaluated,
    one.mixedUp,
    one.kongLeaks,
    one.recoveredMs === undefined ? 'NOT' : `${(one.recoveredMs / 1000).toFixed(2)} s`,
    `${one.rssMiB} MiB`,
    `${one.p99Ms} ms`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

/** 200 and 403 are the decisions; the rest by status. */
function others({ statuses }: FaultReport): string {
  const rest = [...statuses].filter(([status]) => status !== '200' && status !== '403').sort();
  return rest.map(([status, count]) => `${count} × ${status}`).join(', ');
}

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
  .option('--burst <n>', 'clients that come at once', Number, 2000)
  .parse()
  .opts<{ only?: string; concurrency: number; lasts: number; delay: number; burst: number }>();

const options: CampaignOptions = {
  concurrency: flags.concurrency,
  lastsMs: flags.lasts * 1000,
  delayMs: flags.delay,
  burst: flags.burst,
  recoveryMs: 30_000,
  streak: 50,
};
if (!existsSync(BUNDLE)) throw new Error('the plugin server is not built: npm run build');

const started = performance.now();
const reports: FaultReport[] = [];
const chosen = ALL_FAULTS.filter(({ name }) => name.includes(flags.only ?? ''));
printHeadings();
for (const failsOpen of [undefined, true] as const) {
  const faults = chosen.filter((fault) => fault.failsOpen === failsOpen);
  if (faults.length === 0) continue;
  const switches = failsOpen && { config: FAILING_OPEN, failover: true };
  const stack = await startFaultStack({ bundle: BUNDLE, workers: 2, ...switches });
  try {
    for (const fault of faults) {
      for (const phase of fault.phases ?? BOTH) {
        const report = await runFault(stack, fault, phase, { ...options, ...fault.load });
        printReport(report);
        reports.push(report);
      }
    }
  } finally {
    await stack.close();
  }
}

const sum = (count: (one: FaultReport) => number) => reports.reduce((total, one) => total + count(one), 0);
const survived = reports.filter(isSurvived).length;
console.log(
  `\n${reports.length} faults in ${Math.round((performance.now() - started) / 1000)} s on ${availableParallelism()} processors, ` +
    `${flags.concurrency} requests at a time, ${sum(({ sent }) => sent)} in all: ` +
    `${sum(({ hitsWithoutPermit }) => hitsWithoutPermit)} upstream hits without a permit, ` +
    `${sum(({ passedUnevaluated }) => passedUnevaluated)} responses passed without a decision, ` +
    `${sum(({ mixedUp }) => mixedUp)} mixed up, ` +
    `${sum(({ kongLeaks }) => kongLeaks)} upstream headers on Kong's own 500; ${survived} of ${reports.length} survived.`,
);
process.exit(survived === reports.length ? 0 : 1);
