import type { ShadowLine } from '../../recordings/log-record.js';
import { pathPattern } from '../../recordings/path-pattern.js';
import type { ShadowResult } from '../../telemetry/decision-log.js';
import { printable } from '../../telemetry/printable.js';
import type { KongNames } from '../policy/kong-names.js';
import type { Paint } from '../terminal.js';

/** Results of a log without messages: counts and groups, no examples as diffs. */
export interface LineReport {
  readonly counts: Readonly<Record<ShadowResult, number>>;
  /** The largest first. */
  readonly groups: readonly LineGroup[];
}

interface LineGroup {
  readonly phase: ShadowLine['phase'];
  readonly route: string | undefined;
  readonly method: string;
  readonly path: string;
  readonly what: readonly string[];
  count: number;
  readonly request_id: string | undefined;
}

export function reportOfLines(lines: readonly ShadowLine[], ignored: ReadonlySet<string>): LineReport {
  const counts = { same: 0, different: 0, error: 0, dropped: 0 };
  const groups = new Map<string, LineGroup>();
  for (const line of lines) {
    const what = (line.differences ?? []).filter((name) => !ignored.has(name.replace(/^header:/, '')));
    const result = line.result === 'different' && what.length === 0 ? 'same' : line.result;
    counts[result]++;
    if (result !== 'different') continue;
    const { phase, route, method = '', request_id } = line;
    const path = line.path === undefined ? '' : pathPattern(line.path);
    const key = JSON.stringify([phase, route, method, path, what]);
    const group = groups.get(key) ?? { ...{ phase, route, method, path, what, request_id }, count: 0 };
    group.count++;
    groups.set(key, group);
  }
  return { counts, groups: [...groups.values()].sort((a, b) => b.count - a.count) };
}

export function linesInWords(
  { counts, groups }: LineReport,
  file: string,
  names: KongNames,
  paint: Paint,
): string {
  const { same, different, error, dropped } = counts;
  const total = same + different + error + dropped;
  const text = `${same} decisions are the same, ${different} differ, ${error} got no answer, ${dropped} were dropped`;
  const lines = [
    paint.bold(`${total} results of a shadow policy in ${printable(file)}`),
    `  ${different > 0 ? paint.red(text) : paint.green(text)}`,
    '  messages are not in it; see --record-file for both decisions side by side',
  ];
  for (const { count, phase, route, method, path, what, request_id: id } of groups) {
    const where = [
      phase,
      ...(route === undefined ? [] : [`route ${names.get(route) ?? route}`]),
      `${method} ${path}`,
    ];
    const example = id === undefined ? '' : ` (for example request ${id})`;
    lines.push(
      '',
      paint.bold(printable(`${count} × ${where.join(', ')}: ${what.join(', ')}`)) + printable(example),
    );
  }
  return `${lines.join('\n')}\n`;
}
