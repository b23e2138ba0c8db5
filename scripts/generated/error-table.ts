import { ERRORS, type ErrorEntry } from '../../src/errors/catalogue.js';

const FAIL_OPEN = {
  never: 'no',
  unreachable: 'yes',
  unavailable: 'with `fail_open_scope: unavailable`',
} as const;

/** One row a code: status for the client, log level, whether fail-open may apply, meaning. */
export function errorTable(): string {
  const entries: readonly (readonly [string, ErrorEntry])[] = Object.entries(ERRORS);
  const rows = entries.map(([code, entry]) => {
    const status = entry.status === 502 ? '`error_status` (502)' : String(entry.status);
    return `| \`${code}\` | ${status} | ${entry.level} | ${FAIL_OPEN[entry.failOpenScope ?? 'never']} | ${entry.meaning} |`;
  });
  return [
    '| Code | Client gets | Log level | Fail-open may apply | Meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
