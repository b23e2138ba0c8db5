import { pathPattern } from '../../recordings/path-pattern.js';
import type { Row } from '../wire.js';
import { type Decision, decisionOf, providerMs } from './decision.js';
import type { Sort } from './filters.js';

/** Requests that are alike: the same decision, status, method and path (or MCP message). */
export interface Group {
  readonly key: string;
  readonly decision: Decision;
  readonly target: string;
  /** In the order of the list. */
  readonly rows: Row[];
  /** Milliseconds of the slowest policy decision. */
  slowest: number | undefined;
}

/** What stands in one line of the list. */
export type Item =
  | { readonly kind: 'row'; readonly row: Row }
  | { readonly kind: 'group'; readonly group: Group };

/** What a request is about: `POST /orders/7`, of an MCP message `tools/call delete_customer`. */
export function targetOf({ mcp, method, path, id }: Row): { readonly head?: string; readonly rest: string } {
  if (mcp !== undefined) return { head: mcp.method, rest: mcp.name ?? '' };
  return { ...(method !== undefined && { head: method }), rest: path ?? id ?? 'unknown' };
}

/** In place: rows come oldest first. */
export function sorted(rows: readonly Row[], sort: Sort): readonly Row[] {
  if (sort === 'oldest') return rows;
  const newest = rows.toReversed();
  // Stable: of two that took the same time the newer one comes first.
  return sort === 'newest' ? newest : newest.sort((a, b) => (providerMs(b) ?? -1) - (providerMs(a) ?? -1));
}

/** The largest group first; with `slowest` the one with the slowest decision. */
export function groupsOf(rows: readonly Row[], sort: Sort): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const decision = decisionOf(row);
    const { head = '', rest } = targetOf(row);
    const target = `${head} ${row.mcp === undefined ? pathPattern(rest) : rest}`.trim();
    const key = [decision.kind, decision.isMonitored, decision.status, decision.code, target].join(' ');
    const ms = providerMs(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { key, decision, target, rows: [row], slowest: ms });
    else {
      group.rows.push(row);
      if (ms !== undefined && !((group.slowest ?? -1) >= ms)) group.slowest = ms;
    }
  }
  const all = [...groups.values()];
  return sort === 'slowest'
    ? all.sort((a, b) => (b.slowest ?? -1) - (a.slowest ?? -1))
    : all.sort((a, b) => b.rows.length - a.rows.length);
}

export function itemsOf(
  rows: readonly Row[],
  sort: Sort,
  isGrouped: boolean,
  opened: ReadonlySet<string>,
): Item[] {
  const asItem = (row: Row): Item => ({ kind: 'row', row });
  if (!isGrouped) return rows.map(asItem);
  return groupsOf(rows, sort).flatMap((group): Item[] => [
    { kind: 'group', group },
    ...(opened.has(group.key) ? group.rows.map(asItem) : []),
  ]);
}

export function keyOf(item: Item): string {
  return item.kind === 'row' ? `r${item.row.key}` : `g${item.group.key}`;
}
