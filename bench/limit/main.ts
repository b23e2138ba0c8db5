import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { Closing } from '../../dev/closing.js';
import { digits, printTable } from '../support/report.js';
import { CASES } from './cases.js';
import { type Compared, contest } from './contest.js';

/**
 * `npm run bench -- limit`: the plugin server against the yardstick (yardstick-server.ts), which does the same job without a
 * check. What is above 1 is the price of our own code.
 */
const BUNDLE = 'bin/ping-auth-pluginserver.mjs';
const NAMES = CASES.map(({ name }) => name);
const DEFAULTS = [16, 1];

const flags = new Command('bench limit')
  .description('Our plugin server against the least that does the same job, in turns.')
  .option('--connections <n...>', 'how many requests at a time', wholeNumbers, DEFAULTS)
  .option('--rounds <n>', 'turns of each server; medians are printed', wholeNumber, 5)
  .option('--seconds <n>', 'length of a turn', aboveZero, 2.5)
  .addOption(new Option('--case <name...>', 'kinds of request').choices(NAMES).default(NAMES))
  .option('--also <folder...>', 'measure the server in this dist folder too, in the same turns', bundles)
  .option('--quick', 'three turns of half a second: a first impression')
  .parse()
  .opts<{
    connections: number[];
    rounds: number;
    seconds: number;
    case: string[];
    also?: Map<string, string>;
    quick?: true;
  }>();
const { quick, connections } = flags;

const closing = new Closing();
let compared: Compared[];
try {
  compared = await contest(
    {
      cases: CASES.filter(({ name }) => flags.case.includes(name)),
      connections,
      rounds: quick ? 3 : flags.rounds,
      roundMs: quick ? 500 : flags.seconds * 1000,
      warmUp: quick ? 4000 : 12_000,
      others: flags.also ?? new Map(),
    },
    closing,
  );
} finally {
  await closing.close();
}
const named = flags.also === undefined ? [] : ['server'];
printTable(
  [
    ...['request', 'at a time', ...named, 'CPU µs', 'yardstick', 'ratio'],
    ...['p50 ms', 'yardstick', 'ratio', 'req/s', 'yardstick', 'ratio'],
  ],
  compared.map(({ case: { title }, connections, server, own, yardstick, ratios }) => [
    ...[title, String(connections), ...named.map(() => server)],
    ...[digits(own.cpu * 1000), digits(yardstick.cpu * 1000), ratios.cpu.toFixed(2)],
    ...[digits(own.p50), digits(yardstick.p50), ratios.p50.toFixed(2)],
    ...[digits(own.perSecond), digits(yardstick.perSecond), ratios.perSecond.toFixed(2)],
  ]),
);

/** @throws InvalidArgumentError */
function aboveZero(text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('must be a number above 0.');
  return value;
}

/** @throws InvalidArgumentError */
function wholeNumber(text: string): number {
  const value = aboveZero(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('must be a whole number.');
  return value;
}

/** Collects numbers; the first one replaces the default. @throws InvalidArgumentError */
function wholeNumbers(text: string, before: number[]): number[] {
  return [...(before === DEFAULTS ? [] : before), wholeNumber(text)];
}

/** Collects bundles by the folder's name as it was given. @throws InvalidArgumentError when there is none in it */
function bundles(folder: string, before = new Map<string, string>()): Map<string, string> {
  const script = resolve(folder, BUNDLE);
  if (!existsSync(script)) throw new InvalidArgumentError(`has no ${BUNDLE}.`);
  return before.set(folder, script);
}
