import { Command } from 'commander';
import { type Explanation, explain } from '../../recordings/explanation.js';
import { asLines } from '../../recordings/message-text.js';
import { openLog } from '../../recordings/read-log.js';
import { readRecordings } from '../../recordings/recording.js';
import { requestIdOf } from '../../recordings/request-ids.js';
import { differenceLines } from '../difference-lines.js';
import { complain, EXIT, type Paint, paintFor, type Terminal } from '../terminal.js';

interface Arguments {
  readonly requestId?: string;
  readonly color?: boolean;
}

export function explainCommand(terminal: Terminal): Command {
  return new Command('explain')
    .summary("show what a policy provider's answer would change")
    .description(
      'Takes a recorded request (or response) with the answer of the policy provider, and shows the changes that the plugin would make as a diff.\nFILE is {"request": …, "answer": …} or {"response": …, "answer": …} as they go over the wire, or a log with lines of enable_debug_logging.',
    )
    .argument('<file>', 'recording, - for standard input')
    .option('--request-id <id>', 'only this request of a log; the start of its id is enough')
    .option('--color', 'colours even when the output is not a terminal')
    .option('--no-color', 'no colours')
    .addHelpText(
      'after',
      '\nExit codes: 0 explained, 1 the plugin would refuse because of the answer, 2 wrong usage or an unreadable file, 3 nothing to explain.',
    )
    .action(async (file: string, options: Arguments) => {
      terminal.exitCode(await run(file, options, terminal));
    });
}

async function run(file: string, options: Arguments, terminal: Terminal): Promise<number> {
  try {
    const { requestId } = options;
    const found = await readRecordings(openLog(file));
    for (const problem of found.problems)
      terminal.stderr.write(`ping-auth explain: ${file}:${problem}; skipped\n`);
    const wanted =
      requestId === undefined
        ? undefined
        : requestIdOf(
            requestId,
            found.recordings.map((recording) => recording.requestId),
          );
    const recordings = found.recordings.filter(
      (recording) => requestId === undefined || (wanted !== undefined && recording.requestId === wanted),
    );
    if (recordings.length === 0) {
      terminal.stderr.write(`ping-auth explain: no request ${requestId} in ${file}\n`);
      return EXIT.nothingToCheck;
    }
    const paint = paintFor(terminal.stdout, terminal.environment, options.color);
    const explanations = recordings.map(explain);
    for (const explanation of explanations) terminal.stdout.write(inWords(explanation, paint));
    return explanations.every(({ isUsable }) => isUsable) ? EXIT.ok : EXIT.failed;
  } catch (thrown) {
    return complain(terminal, 'explain', thrown);
  }
}

function inWords({ title, isUsable, diff, ignored }: Explanation, paint: Paint): string {
  const output = [paint.bold(isUsable ? title : paint.red(title))];
  if (diff !== undefined) {
    const { before, after } = diff;
    output.push(
      ...differenceLines(
        { label: before.label, text: asLines(before.message) },
        { label: after.label, text: asLines(after.message) },
        paint,
      ),
    );
  }
  for (const text of ignored) output.push(paint.yellow(`! ignored, ${text}`));
  return `${output.join('\n')}\n\n`;
}
