import { Command } from 'commander';
import { openLog } from '../../recordings/read-log.js';
import { type KongNames, type NameOptions, readKongNames, withAdminOptions } from '../policy/kong-names.js';
import { type ReplayFacts, replayAsJson, replayInWords } from '../replay/report.js';
import { Tally } from '../replay/tally.js';
import { complain, EXIT, paintFor, type Terminal } from '../terminal.js';
import { linesInWords, reportOfLines } from './line-report.js';
import { type ShadowReading, tallyShadow } from './shadowed-calls.js';

interface Arguments extends NameOptions {
  readonly ignoreHeader: readonly string[];
  readonly json?: boolean;
  readonly color?: boolean;
}

export function shadowCommand(terminal: Terminal): Command {
  const command = new Command('shadow')
    .summary('what a shadow policy decided differently')
    .description(
      'Compares the decisions of a shadow policy (shadow_service_url) with the live ones, from a recording (--record-file of the plugin server) or a log (--log-file). Asks nobody. See docs/shadow.md.',
    )
    .argument('<file>', 'recording or log, - for standard input')
    .option('--config <file>', 'kong.yml or decK file: routes and services by name');
  return withAdminOptions(command)
    .option(
      '--ignore-header <name>',
      'differences in this header do not count; can be repeated',
      (name: string, before: readonly string[]) => [...before, name],
      [],
    )
    .option('--json', 'print the result as JSON')
    .option('--color', 'colours even when the output is not a terminal')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nExit codes: 0 no decision differs, 1 decisions differ or got no answer, 2 wrong usage or an unreadable file, 3 nothing about a shadow policy in the file.',
    )
    .action(async (file: string, options: Arguments) => {
      terminal.exitCode(await run(file, options, terminal));
    });
}

async function run(file: string, options: Arguments, terminal: Terminal): Promise<number> {
  const tally = new Tally();
  const ignored = new Set(options.ignoreHeader.map((name) => name.toLowerCase()));
  const startedAt = performance.now();
  let reading: ShadowReading;
  let names: KongNames;
  try {
    names = await readKongNames(options, terminal);
    reading = await tallyShadow(openLog(file), tally, ignored);
  } catch (thrown) {
    return complain(terminal, 'shadow', thrown);
  }
  const paint = paintFor(terminal.stdout, terminal.environment, options.color);
  if (tally.asked > 0) {
    const { provider = 'the shadow policy', broken } = reading;
    const facts: ReplayFacts = {
      ...{ file, provider, broken, names, stopped: undefined, strict: false },
      seconds: (performance.now() - startedAt) / 1000,
      words: {
        title: `answers of the shadow policy ${provider} in ${file}`,
        before: 'what the live policy decided',
        now: 'what the shadow policy decided',
      },
    };
    terminal.stdout.write(options.json ? replayAsJson(tally, facts) : replayInWords(tally, facts, paint));
    return tally.differs(false) ? EXIT.failed : EXIT.ok;
  }
  const report = reportOfLines(reading.lines, ignored);
  const { same, different, error } = report.counts;
  if (reading.lines.length > 0)
    terminal.stdout.write(
      options.json
        ? `${JSON.stringify({ ok: different + error === 0, file, ...report }, undefined, 2)}\n`
        : linesInWords(report, file, names, paint),
    );
  if (different + error > 0) return EXIT.failed;
  if (same > 0) return EXIT.ok;
  terminal.stderr.write(`ping-auth shadow: no answer of a shadow policy in ${file}\n`);
  return EXIT.nothingToCheck;
}
