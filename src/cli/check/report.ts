import type { Paint } from '../terminal.js';
import { allFindings, type ConfigurationReport, type Finding, type Status } from './finding.js';

const SIGNS: Record<Status, string> = { ok: '✓', note: 'i', warning: '!', failed: '✗', skipped: '–' };

/** For people: one line a finding, below it what to do. */
export function reportInWords(
  reports: readonly ConfigurationReport[],
  isStrict: boolean,
  paint: Paint,
): string {
  const lines: string[] = [];
  for (const report of reports) {
    lines.push(paint.bold(`ping-auth: ${report.where}`));
    for (const finding of report.findings) lines.push(...findingLines(finding, '  ', paint));
    for (const provider of report.providers) {
      lines.push(`  ${paint.bold(provider.url)}`);
      for (const finding of provider.findings) lines.push(...findingLines(finding, '    ', paint));
    }
    lines.push('');
  }
  lines.push(summary(reports, isStrict, paint), '');
  return lines.join('\n');
}

function findingLines({ step, status, text, remedy }: Finding, indent: string, paint: Paint): string[] {
  const colour = {
    ok: paint.green,
    note: paint.bold,
    warning: paint.yellow,
    failed: paint.red,
    skipped: paint.dim,
  }[status];
  const first = `${indent}${colour(SIGNS[status])} ${step.padEnd(13)} ${text}`;
  return remedy === undefined ? [first] : [first, `${indent}${' '.repeat(16)}→ ${remedy}`];
}

/** `2 configurations checked: passed with 1 warning; 1 configuration has values that cannot be checked from here`. */
function summary(reports: readonly ConfigurationReport[], isStrict: boolean, paint: Paint): string {
  const all = reports.flatMap(allFindings);
  const count = (wanted: Status) => all.filter(({ status }) => status === wanted).length;
  const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  const checked = `${plural(reports.length, 'configuration')} checked`;
  const [failures, warnings] = [plural(count('failed'), 'failure'), plural(count('warning'), 'warning')];
  const unchecked = all.some(({ step, status }) => step === 'configuration' && status === 'skipped')
    ? '; some values cannot be checked from here'
    : '';
  if (count('failed') > 0)
    return paint.red(`${checked}: ${failures}${count('warning') > 0 ? `, ${warnings}` : ''}${unchecked}`);
  if (count('warning') === 0) return paint.green(`${checked}: passed${unchecked}`);
  return isStrict
    ? paint.red(`${checked}: ${warnings}, which --strict counts as failures${unchecked}`)
    : paint.yellow(`${checked}: passed with ${warnings}${unchecked}`);
}

/** For machines. `ok` is false when the exit code is 1. */
export function reportAsJson(reports: readonly ConfigurationReport[], isStrict: boolean): string {
  const isOk = !hasFailed(reports, isStrict);
  return `${JSON.stringify({ ok: isOk, configurations: reports }, undefined, 2)}\n`;
}

/** @param isStrict whether a warning counts as a failure */
export function hasFailed(reports: readonly ConfigurationReport[], isStrict: boolean): boolean {
  return reports
    .flatMap(allFindings)
    .some(({ status }) => status === 'failed' || (isStrict && status === 'warning'));
}
