import type { Paint } from '../terminal.js';
import { allFindings, type ConfigurationReport, type Finding, type Status } from './finding.js';

const SIGNS: Record<Status, string> = { ok: '✓', warning: '!', failed: '✗', skipped: '–' };

/** For people: one line a finding, below it what to do. */
export function reportInWords(reports: readonly ConfigurationReport[], paint: Paint): string {
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
  lines.push(summary(reports, paint), '');
  return lines.join('\n');
}

function findingLines({ step, status, text, remedy }: Finding, indent: string, paint: Paint): string[] {
  const colour = { ok: paint.green, warning: paint.yellow, failed: paint.red, skipped: paint.dim }[status];
  const first = `${indent}${colour(SIGNS[status])} ${step.padEnd(13)} ${text}`;
  return remedy === undefined ? [first] : [first, `${indent}${' '.repeat(16)}→ ${remedy}`];
}

function summary(reports: readonly ConfigurationReport[], paint: Paint): string {
  const count = (wanted: Status) =>
    reports.flatMap(allFindings).filter(({ status }) => status === wanted).length;
  const [failures, warnings] = [count('failed'), count('warning')];
  const plural = (n: number, word: string) => `${n} ${word}${n === 1 ? '' : 's'}`;
  const checked = `${plural(reports.length, 'configuration')} checked`;
  const warned = warnings > 0 ? `, ${plural(warnings, 'warning')}` : '';
  if (failures > 0) return paint.red(`${checked}: ${plural(failures, 'failure')}${warned}`);
  return paint.green(`${checked}: all is well${warned}`);
}

/** For machines. `ok` is false when anything failed. */
export function reportAsJson(reports: readonly ConfigurationReport[]): string {
  const isOk = !hasFailed(reports);
  return `${JSON.stringify({ ok: isOk, configurations: reports }, undefined, 2)}\n`;
}

export function hasFailed(reports: readonly ConfigurationReport[]): boolean {
  return reports.flatMap(allFindings).some(({ status }) => status === 'failed');
}
