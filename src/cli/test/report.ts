import { printable } from '../../telemetry/printable.js';
import { differenceLines, valueLines } from '../difference-lines.js';
import type { Paint } from '../terminal.js';
import type { Mismatch } from './expectation.js';
import type { CaseResult } from './run-cases.js';
import { placeText } from './yaml-source.js';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly errors: number;
  readonly skipped: number;
  /** After the provider could not be reached once. */
  readonly notAsked: number;
}

const SIGNS = { passed: '✓', failed: '✗', error: '✗', skipped: '–', 'not asked': '–' } as const;

/** For people: a line for each case, for those that failed with what was expected, what came, and the whole message. */
export function reportInWords(results: readonly CaseResult[], paint: Paint): string {
  const lines = results
    .filter(({ status }) => status !== 'not asked')
    .flatMap((result) => resultLines(result, paint));
  return `${[...lines, '', summary(results, paint)].join('\n')}\n`;
}

export function countsOf(results: readonly CaseResult[]): Counts {
  const count = (wanted: CaseResult['status']) => results.filter(({ status }) => status === wanted).length;
  return {
    passed: count('passed'),
    failed: count('failed'),
    errors: count('error'),
    skipped: count('skipped'),
    notAsked: count('not asked'),
  };
}

export function allPassed(results: readonly CaseResult[]): boolean {
  return results.every(({ status }) => status === 'passed' || status === 'skipped');
}

/** A mismatch in one line. */
export function mismatchText({ what, expected, got }: Mismatch): string {
  return `${printable(what)}: expected ${inline(expected)}, got ${inline(got)}`;
}

function resultLines(result: CaseResult, paint: Paint): string[] {
  const { status, mismatches, shown, problem } = result;
  const strokes = { passed: paint.green, failed: paint.red, error: paint.red, skipped: paint.dim };
  const colour = status === 'not asked' ? paint.dim : strokes[status];
  const name = printable(result.case.name);
  const time = status === 'skipped' ? 'skipped' : `${result.durationMs.toFixed(0)} ms`;
  const lines = [`${colour(SIGNS[status])} ${name} ${paint.dim(`(${time})`)}`];
  if (status === 'passed' || status === 'skipped') return lines;
  lines.push(`    ${paint.dim(placeText(result.case.place))}`);
  if (problem !== undefined) lines.push(`    ${paint.red(printable(problem))}`);
  for (const mismatch of mismatches) lines.push(...mismatchLines(mismatch, paint));
  if (shown) {
    lines.push('', `    ${shown.title}:`);
    lines.push(...differenceLines(shown.before, shown.after, paint, { indent: '    ' }));
  }
  return [...lines, ''];
}

/** Short values in one line, long ones as a diff. */
function mismatchLines(mismatch: Mismatch, paint: Paint): string[] {
  const { what, expected, got } = mismatch;
  const isShort = [expected, got].every(
    (value) => inline(value).length < 70 && !String(value).includes('\n'),
  );
  if (isShort) return [`    ${paint.bold(mismatchText(mismatch))}`];
  const [wanted, came] = [valueLines(expected), valueLines(got)];
  return [
    `    ${paint.bold(printable(what))}`,
    ...differenceLines({ label: 'expected', text: wanted }, { label: 'got', text: came }, paint, {
      indent: '    ',
      context: 3,
    }),
  ];
}

function inline(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === '') return 'empty text';
  const text = printable(typeof value === 'string' ? value : JSON.stringify(value));
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

function summary(results: readonly CaseResult[], paint: Paint): string {
  const { passed, failed, errors, skipped, notAsked } = countsOf(results);
  const parts = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(errors > 0 ? [`${errors} could not be asked`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    ...(notAsked > 0 ? [`${notAsked} not asked about: the policy provider cannot be reached`] : []),
  ];
  const text = `${results.length} ${results.length === 1 ? 'case' : 'cases'}: ${parts.join(', ')}`;
  return failed + errors + notAsked > 0 ? paint.red(text) : paint.green(text);
}
