import type { FaultReport } from './campaign.js';

const HEADINGS = [
  ...['fault', 'strikes in', 'requests', 'as decided', 'other answers', 'upstream hits without a permit'],
  ...['passed without the policy’s say', 'mixed up', 'Kong’s 500 with upstream headers', 'recovered after'],
];

/** A Markdown table: it goes into docs/reliability.md as it is printed. */
export function printHeadings(): void {
  console.log(`| ${HEADINGS.join(' | ')} |`);
  console.log(`| ${HEADINGS.map((_, at) => (at < 2 ? '---' : '---:')).join(' | ')} |`);
}

export function printReport(one: FaultReport): void {
  const cells = [
    one.fault,
    one.phase,
    one.sent,
    one.good,
    others(one),
    one.hitsWithoutPermit,
    one.passedWithoutSay,
    one.mixedUp,
    one.kongLeaks,
    one.recoveredMs === undefined ? 'NOT' : `${(one.recoveredMs / 1000).toFixed(2)} s`,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

/** 200 and 403 are the decisions; the rest by status. */
function others({ statuses }: FaultReport): string {
  const rest = [...statuses].filter(([status]) => status !== '200' && status !== '403').sort();
  return rest.map(([status, count]) => `${count} × ${status}`).join(', ');
}
