import { decisionInWords } from '../../recordings/comparison.js';
import { printable } from '../../telemetry/printable.js';
import { differenceLines } from '../difference-lines.js';
import type { KongNames } from '../policy/kong-names.js';
import { duration, type Paint } from '../terminal.js';
import { type Counts, type Group, resultLines, type Skipped, type Tally } from './tally.js';

export interface ReplayFacts {
  readonly file: string;
  /** That was asked. */
  readonly provider: string;
  /** Lines that could not be read. */
  readonly broken: number;
  /** Why it ended before the end of the file. */
  readonly stopped: string | undefined;
  readonly seconds: number;
  /** Whether differences of redacted messages count. */
  readonly strict: boolean;
  /** Of Kong's routes, by id. */
  readonly names: KongNames;
  /** How the report says it; undefined: as `ping-auth replay`. */
  readonly words?: ReportWords;
}

export interface ReportWords {
  readonly title: string;
  readonly before: string;
  readonly now: string;
}

const REASONS: Readonly<Record<keyof Skipped, string>> = {
  'no messages':
    'only a decision line is recorded; switch enable_debug_logging on, or record with --record-file',
  'no decision': 'the recorded call brought no decision',
  'not readable': 'the recorded messages cannot be read; the line was shortened',
  'no request': 'about a response, and its request is not in the recording',
  'not reached': 'about a response whose request is no longer permitted, or could not be asked about',
};

/** For people. */
export function replayInWords(tally: Tally, facts: ReplayFacts, paint: Paint): string {
  const { complete, incomplete, asked } = tally;
  const lines = [
    paint.bold(
      facts.words === undefined
        ? `${asked} questions of ${printable(facts.file)} put to ${facts.provider} in ${duration(facts.seconds)}`
        : printable(`${asked} ${facts.words.title}`),
    ),
    `  ${countsInWords(complete, paint)}`,
  ];
  const withGaps = incomplete.same + incomplete.different + incomplete.failed;
  if (withGaps > 0) {
    const parts = [...tally.gaps].map(([name, count]) => `${printable(name)} ${count}`).join(', ');
    lines.push(
      `  ${paint.yellow(`and ${withGaps} whose messages are redacted or cut in the recording:`)} ${countsInWords(incomplete, paint)}`,
      `    not as they were: ${parts}`,
    );
    if (incomplete.different > 0 && !facts.strict)
      lines.push(
        '    a decision can differ for that reason alone: such a difference does not count for the exit code (--strict)',
      );
    const headers = [...tally.gaps.keys()].filter((name) => name.startsWith('header:'));
    for (const name of headers) {
      const header = printable(name.slice('header:'.length));
      lines.push(`    to give the value: --header '${header}: …'`);
    }
  }
  for (const [code, count] of tally.failures) lines.push(`  ${paint.red(`no answer: ${code}`)} ${count}`);
  for (const [reason, count] of Object.entries(tally.skipped)) {
    if (count > 0) lines.push(paint.dim(`  ${count} not asked: ${REASONS[reason as keyof Skipped]}`));
  }
  if (facts.broken > 0) lines.push(paint.dim(`  ${facts.broken} lines cannot be read`));
  if (facts.stopped !== undefined) lines.push(paint.red(`  stopped: ${facts.stopped}`));
  for (const group of tally.groups) lines.push('', ...groupLines(group, facts, paint));
  return `${lines.join('\n')}\n`;
}

/** For machines. `ok`: no decision differs but for redaction. */
export function replayAsJson(tally: Tally, facts: ReplayFacts): string {
  const { complete, incomplete, skipped } = tally;
  const { strict, names, seconds: _, words: __, ...rest } = facts;
  const report = {
    ok: !tally.differs(strict) && facts.stopped === undefined,
    ...rest,
    asked: tally.asked,
    complete,
    incomplete: { ...incomplete, gaps: Object.fromEntries(tally.gaps) },
    failures: Object.fromEntries(tally.failures),
    skipped,
    groups: tally.groups.map(({ example: { question, now }, ...group }) => ({
      ...group,
      ...(group.route !== undefined && names.has(group.route) && { route_name: names.get(group.route) }),
      example: {
        request_id: question.recording.requestId,
        line: question.line,
        url: question.recording.shown.url,
        incomplete: question.incomplete,
        recorded: {
          decision: decisionInWords(question.decision),
          result: resultLines(question.decision.explanation),
        },
        now: { decision: decisionInWords(now), result: resultLines(now.explanation) },
      },
    })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function countsInWords({ same, different, failed }: Counts, paint: Paint): string {
  const parts = [`${same} decisions are the same`, `${different} differ`];
  if (failed > 0) parts.push(`${failed} got no answer`);
  const text = parts.join(', ');
  return different + failed > 0 ? paint.red(text) : paint.green(text);
}

function groupLines(group: Group, facts: ReplayFacts, paint: Paint): string[] {
  const { phase, route, method, path, what, count, incomplete, example } = group;
  const { question, now } = example;
  const { requestId, shown } = question.recording;
  const where = [
    phase,
    ...(route === undefined ? [] : [`route ${facts.names.get(route) ?? route}`]),
    `${method} ${path}`,
  ].join(', ');
  const redacted = incomplete > 0 ? `, ${incomplete} of them redacted or cut` : '';
  const id = requestId === undefined ? '' : `, request ${requestId}`;
  return [
    paint.bold(printable(`${count} × ${where}: ${what.join(', ')}${redacted}`)),
    printable(`  for example ${shown.method} ${shown.url} (line ${question.line}${id})`),
    ...differenceLines(
      {
        label: facts.words?.before ?? 'the recorded decision',
        text: resultLines(question.decision.explanation),
      },
      {
        label: facts.words?.now ?? `the decision of ${facts.provider}`,
        text: resultLines(now.explanation),
      },
      paint,
      { indent: '  ', context: 3 },
    ),
  ];
}
