import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../option-values.js';
import { createPolicy } from '../policy/ask-policy.js';
import { type ProviderOptions, readProvider, withProviderOptions } from '../policy/provider-options.js';
import { readTextFile } from '../read-file.js';
import { complain, EXIT, type Paint, Progress, paintFor, type Terminal } from '../terminal.js';
import { type PolicyCase, readCaseFile } from './case-file.js';
import { REPORTERS } from './machine-reports.js';
import { allPassed, reportInWords } from './report.js';
import { type CaseResult, runCases } from './run-cases.js';

interface Arguments extends ProviderOptions {
  readonly grep?: RegExp;
  readonly tag?: readonly string[];
  readonly jobs: number;
  readonly reporter?: keyof typeof REPORTERS;
  readonly output?: string;
  readonly color?: boolean;
}

export function testCommand(terminal: Terminal): Command {
  const command = new Command('test')
    .summary('test what the policy decides')
    .description(
      "Asks the policy provider about the requests and responses in CASES, with the plugin's own client and rules, and compares what would become of them with what is expected there. See docs/policy-tests.md.",
    )
    .argument('<cases...>', 'YAML files with cases, - for standard input');
  return withProviderOptions(command)
    .option('--grep <pattern>', 'only cases with this regular expression in their name', parsePattern)
    .option('--tag <tag>', 'only cases with this tag; can be repeated', (tag, before: string[] = []) => [
      ...before,
      tag,
    ])
    .option('--jobs <n>', 'cases that are asked about at the same time', wholeNumber(1, 100), 4)
    .addOption(
      new Option('--reporter <name>', 'machine-readable report, instead of the one for people').choices(
        Object.keys(REPORTERS),
      ),
    )
    .option(
      '--output <file>',
      'with --reporter: write that report to this file, and print the one for people as well',
    )
    .option('--color', 'colours even when the output is not a terminal')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nExit codes: 0 every case passed, 1 a case failed or could not be asked (after a connection that fails, no other case is asked about), 2 wrong usage or an unreadable file, 3 no case was chosen.',
    )
    .action(async (files: string[], options: Arguments) => {
      terminal.exitCode(await run(files, options, terminal));
    });
}

async function run(files: readonly string[], options: Arguments, terminal: Terminal): Promise<number> {
  try {
    if (options.output !== undefined && options.reporter === undefined)
      throw new Error('--output needs --reporter');
    const read = await readCases(files, terminal);
    const chosen = read.cases.filter((one) => isChosen(one, options));
    if (chosen.length === 0) {
      terminal.stderr.write(`ping-auth test: none of ${read.cases.length} cases was chosen\n`);
      return EXIT.nothingToCheck;
    }
    const config = await readProvider(options, terminal);
    const policy = createPolicy(config);
    let results: CaseResult[];
    const progress = new Progress(terminal, chosen.length, 'cases');
    try {
      results = await runCases(chosen, policy, options.jobs, () => progress.step());
    } finally {
      progress.end();
      await policy.close();
    }
    const paint = paintFor(terminal.stdout, terminal.environment, options.color);
    await report(results, options, terminal, read.hide, paint);
    return allPassed(results) ? EXIT.ok : EXIT.failed;
  } catch (thrown) {
    return complain(terminal, 'test', thrown);
  }
}

/** @throws Error when the file of --output cannot be written */
async function report(
  results: readonly CaseResult[],
  { reporter, output }: Arguments,
  terminal: Terminal,
  hide: (text: string) => string,
  paint: Paint,
): Promise<void> {
  const forMachines = reporter === undefined ? undefined : hide(REPORTERS[reporter](results));
  const toStdout = output === undefined ? forMachines : undefined;
  terminal.stdout.write(toStdout ?? hide(reportInWords(results, paint)));
  if (output !== undefined && forMachines !== undefined) await writeFile(output, forMachines);
}

async function readCases(files: readonly string[], terminal: Terminal) {
  const all: PolicyCase[] = [];
  const hides: ((text: string) => string)[] = [];
  for (const file of files) {
    const text = await readTextFile(file);
    const { cases, hide } = readCaseFile(file, text, terminal.environment);
    all.push(...cases);
    hides.push(hide);
  }
  return { cases: all, hide: (text: string) => hides.reduce((clean, hide) => hide(clean), text) };
}

function isChosen({ name, tags }: PolicyCase, { grep, tag }: Arguments): boolean {
  return (grep?.test(name) ?? true) && (tag === undefined || tags.some((one) => tag.includes(one)));
}

function parsePattern(text: string): RegExp {
  try {
    return new RegExp(text, 'iu');
  } catch {
    throw new InvalidArgumentError('expected a regular expression');
  }
}
