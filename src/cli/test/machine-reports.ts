// Reports of `ping-auth test` for machines: JSON, JUnit's XML, annotations of GitHub.
import { tenths } from '../../telemetry/decision-log.js';
import { allPassed, countsOf, mismatchText } from './report.js';
import type { CaseResult } from './run-cases.js';

export const REPORTERS = {
  json: reportAsJson,
  junit: reportAsJunit,
  github: reportForGithub,
} as const satisfies Record<string, (results: readonly CaseResult[]) => string>;

const NOT_ASKED = 'not asked about: the policy provider cannot be reached';

/** `ok` is false when a case failed. */
function reportAsJson(results: readonly CaseResult[]): string {
  const cases = results.map((result) => ({
    name: result.case.name,
    tags: result.case.tags,
    ...result.case.place,
    status: result.status,
    duration_ms: tenths(result.durationMs),
    ...(result.problem !== undefined && { problem: result.problem }),
    ...(result.mismatches.length > 0 && {
      // Without its member something is "nothing".
      mismatches: result.mismatches.map(({ what, expected, got }) => ({ what, expected, got })),
    }),
    ...(result.shown && {
      shown: {
        title: result.shown.title,
        before: result.shown.before.text,
        after: result.shown.after.text,
      },
    }),
  }));
  return `${JSON.stringify({ ok: allPassed(results), ...countsOf(results), cases }, undefined, 2)}\n`;
}

/** One suite for each file. */
function reportAsJunit(results: readonly CaseResult[]): string {
  const files = [...new Set(results.map((result) => result.case.place.file))];
  const suites = files.map((file) => {
    const own = results.filter((result) => result.case.place.file === file);
    return `  <testsuite name="${xml(file)}" ${junitCounts(own)}>\n${own.map(testcase).join('')}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ping-auth test" ${junitCounts(results)}>\n${suites.join('')}</testsuites>\n`;
}

function junitCounts(results: readonly CaseResult[]): string {
  const { failed, errors, skipped, notAsked } = countsOf(results);
  const seconds = results.reduce((sum, { durationMs }) => sum + durationMs, 0) / 1000;
  return `tests="${results.length}" failures="${failed}" errors="${errors + notAsked}" skipped="${skipped}" time="${seconds.toFixed(3)}"`;
}

function testcase(result: CaseResult): string {
  const { file, line } = result.case.place;
  const attributes = `classname="${xml(file)}" name="${xml(result.case.name)}" file="${xml(file)}" line="${line}" time="${(result.durationMs / 1000).toFixed(3)}"`;
  const inside = {
    passed: '',
    skipped: '<skipped/>',
    'not asked': `<error message="${NOT_ASKED}"/>`,
    error: `<error message="${xml(result.problem ?? '')}"/>`,
    failed: `<failure message="${xml(headline(result))}">${xml(details(result))}</failure>`,
  }[result.status];
  return inside === ''
    ? `    <testcase ${attributes}/>\n`
    : `    <testcase ${attributes}>${inside}</testcase>\n`;
}

/** Workflow commands, which GitHub shows beside the lines of the file; then a line for the log. */
function reportForGithub(results: readonly CaseResult[]): string {
  const annotations = results
    .filter(({ status }) => status === 'failed' || status === 'error')
    .map((result) => {
      const { file, line, column } = result.case.place;
      const properties = { file, line: String(line), col: String(column), title: result.case.name };
      const list = Object.entries(properties).map(([name, value]) => `${name}=${property(value)}`);
      return `::error ${list.join(',')}::${data(details(result))}\n`;
    });
  const { passed, failed, errors, skipped, notAsked } = countsOf(results);
  const rest = notAsked > 0 ? `, ${notAsked} not asked about` : '';
  return `${annotations.join('')}ping-auth test: ${passed} passed, ${failed} failed, ${errors} could not be asked, ${skipped} skipped${rest}\n`;
}

function headline({ mismatches }: CaseResult): string {
  const [first] = mismatches.map(mismatchText);
  const others = mismatches.length - 1;
  return `${first ?? ''}${others > 0 ? ` (and ${others} more)` : ''}`;
}

function details({ problem, mismatches, shown }: CaseResult): string {
  const lines = problem === undefined ? mismatches.map(mismatchText) : [problem];
  return [...lines, ...(shown ? [shown.title] : [])].join('\n');
}

/** XML 1.0 has no way at all to write most control characters. */
function xml(text: string): string {
  const clean = text.replaceAll(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd');
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    '\n': '&#10;',
  };
  return clean.replaceAll(/[&<>"\n]/g, (character) => names[character] ?? character);
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
