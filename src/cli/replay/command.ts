import { writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import type { PluginConfig } from '../../config/schema.js';
import { portOf } from '../../http/request-url.js';
import { countSidebandLines, openLog, readExchanges } from '../../recordings/read-log.js';
import { headerField, wholeNumber } from '../option-values.js';
import { createPolicy } from '../policy/ask-policy.js';
import { type KongNames, type NameOptions, readKongNames, withAdminOptions } from '../policy/kong-names.js';
import { type ProviderOptions, readProvider, withProviderOptions } from '../policy/provider-options.js';
import { complain, EXIT, Progress, paintFor, type Terminal } from '../terminal.js';
import { Pacer, replay } from './replay.js';
import { type ReplayFacts, replayAsJson, replayInWords } from './report.js';
import { SavedCases } from './saved-cases.js';
import { Tally } from './tally.js';

interface Arguments extends ProviderOptions, NameOptions {
  readonly rate: number;
  readonly header: readonly (readonly [string, string])[];
  readonly ignoreHeader: readonly string[];
  readonly saveCases?: string;
  readonly samples: number;
  readonly yes?: boolean;
  readonly strict?: boolean;
  readonly json?: boolean;
  readonly color?: boolean;
}

export function replayCommand(terminal: Terminal): Command {
  const command = new Command('replay')
    .summary('ask another policy about recorded traffic')
    .description(
      'Asks another policy provider about the messages of a recording (--record-file of the plugin server, or a log with lines of enable_debug_logging), and shows which decisions differ. See docs/replay.md.',
    )
    .argument('<file>', 'recording, - for standard input');
  return withAdminOptions(withProviderOptions(command))
    .option('--rate <n>', 'questions a second', parseRate, 20)
    .option('--header <name:value>', 'value for a redacted header; can be repeated', headerField, [])
    .option(
      '--ignore-header <name>',
      'differences in this header do not count; can be repeated',
      (name: string, before: readonly string[]) => [...before, name],
      [],
    )
    .option('--save-cases <file>', 'write a case for each kind of difference, for ping-auth test')
    .option(
      '--samples <n>',
      'with --save-cases: also write up to this many cases whose decision is the same',
      wholeNumber(0, 9999),
      0,
    )
    .option('--yes', 'ask the policy provider of the recording itself')
    .option('--strict', 'differences that may be due to redaction count for the exit code as well')
    .option('--json', 'print the result as JSON')
    .option('--color', 'colours even when the output is not a terminal')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nExit codes: 0 no decision differs, 1 decisions differ or got no answer, 2 wrong usage or an unreadable file, 3 nothing to ask about, or nothing but messages that differ and are redacted or cut.\nA message that is redacted or cut in the recording does not count as different: see --header and --strict.',
    )
    .action(async (file: string, options: Arguments) => {
      terminal.exitCode(await run(file, options, terminal));
    });
}

async function run(file: string, options: Arguments, terminal: Terminal): Promise<number> {
  const tally = new Tally();
  const saved = new SavedCases(options.samples);
  let broken = 0;
  let stopped: string | undefined;
  let config: PluginConfig;
  let names: KongNames;
  const startedAt = performance.now();
  try {
    config = await readProvider(options, terminal);
    names = await readKongNames(options, terminal);
    const isShown = terminal.stderr.isTTY === true;
    // Standard input can be read once only.
    const total = isShown && file !== '-' ? await countSidebandLines(openLog(file)) : undefined;
    const policy = createPolicy(config);
    const progress = new Progress(terminal, total, 'questions');
    try {
      stopped = await replay(
        readExchanges(openLog(file), () => (broken += 1)),
        {
          ...{ policy, tally, pacer: new Pacer(options.rate), secretHeader: config.secret_header_name },
          fillings: new Map(options.header.map(([name, value]) => [name.toLowerCase(), value])),
          ignored: new Set(options.ignoreHeader.map((name) => name.toLowerCase())),
          admit: (provider) => {
            if (!options.yes) refuseOwn(provider, config, file);
          },
          onAnswer(question, now, differences) {
            saved.add(question, now, differences);
          },
          onAsked: () => progress.step(),
        },
      );
    } finally {
      progress.end();
      await policy.close();
    }
    if (options.saveCases !== undefined && saved.size > 0) {
      // Traffic is in it; and what somebody has corrected by hand is not overwritten.
      await writeFile(options.saveCases, saved.toYaml(file), { mode: 0o600, flag: 'wx' });
    }
  } catch (thrown) {
    return complain(terminal, 'replay', thrown);
  }
  const facts: ReplayFacts = {
    ...{ file, provider: config.service_url, broken, stopped },
    ...{ seconds: (performance.now() - startedAt) / 1000, strict: options.strict === true, names },
  };
  const paint = paintFor(terminal.stdout, terminal.environment, options.color);
  terminal.stdout.write(options.json ? replayAsJson(tally, facts) : replayInWords(tally, facts, paint));
  if (tally.asked === 0) {
    terminal.stderr.write(`ping-auth replay: no messages that can be asked about again in ${file}\n`);
    return EXIT.nothingToCheck;
  }
  if (stopped !== undefined || tally.differs(facts.strict)) return EXIT.failed;
  if (tally.onlyExplained) {
    terminal.stderr.write(
      'ping-auth replay: no result: every message is redacted or cut in the recording, and decisions differ; give values with --header\n',
    );
    return EXIT.nothingToCheck;
  }
  return EXIT.ok;
}

/** @throws Error when the provider that was asked then is one that would be asked now */
function refuseOwn(provider: string | undefined, config: PluginConfig, file: string): void {
  if (provider === undefined || !URL.canParse(provider)) return;
  const own = [config.service_url, ...config.failover_service_urls].find(
    (url) => addressOf(url) === addressOf(provider),
  );
  if (own === undefined) return;
  throw new Error(
    `${file} was recorded with ${own} itself; name another policy provider with --service-url, or ask this one nevertheless with --yes`,
  );
}

function addressOf(url: string): string {
  const parsed = new URL(url);
  return `${parsed.hostname}:${portOf(parsed)}`;
}

function parseRate(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0 && value <= 1000))
    throw new InvalidArgumentError('expected a number above 0, up to 1000');
  return value;
}
