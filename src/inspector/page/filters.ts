import type { Row } from '../wire.js';
import { decisionOf, KINDS, type Kind, providerMs } from './decision.js';

export const SORTS = ['newest', 'oldest', 'slowest'] as const;
export type Sort = (typeof SORTS)[number];

/** What the list shows, and how. Empty: everything, newest first. All of it stands in the URL, so that a view can be passed on. */
export interface Filters {
  readonly decisions: readonly Kind[];
  readonly route: string;
  readonly code: string;
  /** Method and tool (or prompt, or URI) of an MCP message. */
  readonly mcp: string;
  readonly tool: string;
  /** How a shadow policy's decision compares: `different`. */
  readonly shadow: string;
  /** Anywhere in what the list knows of a request; case does not matter. */
  readonly text: string;
  /** Milliseconds of the policy provider. */
  readonly slower: number | undefined;
  /** Milliseconds since 1970. */
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly sort: Sort;
  /** Requests that are alike under one row. */
  readonly isGrouped: boolean;
}

export const NO_FILTERS: Filters = {
  decisions: [],
  route: '',
  code: '',
  mcp: '',
  tool: '',
  shadow: '',
  text: '',
  slower: undefined,
  from: undefined,
  to: undefined,
  sort: 'newest',
  isGrouped: false,
};

/** From the query of a URL, which anybody may have written: what is not understood is left out. */
export function readFilters(query: string): Filters {
  const given = new URLSearchParams(query);
  const text = (name: string) => (given.get(name) ?? '').slice(0, 200);
  const decisions = text('decision').split(',');
  const slower = Number(text('slower'));
  return {
    decisions: KINDS.filter((kind) => decisions.includes(kind)),
    route: text('route'),
    code: text('code'),
    mcp: text('mcp'),
    tool: text('tool'),
    shadow: text('shadow'),
    text: text('q'),
    slower: slower > 0 ? slower : undefined,
    from: readTime(text('from')),
    to: readTime(text('to')),
    sort: SORTS.find((sort) => sort === text('sort')) ?? 'newest',
    isGrouped: text('group') === '1',
  };
}

/** Without a question mark; empty when nothing is filtered. */
export function writeFilters(filters: Filters): string {
  const { decisions, route, code, mcp, tool, shadow, text, slower, from, to, sort, isGrouped } = filters;
  const query = new URLSearchParams();
  if (decisions.length > 0) query.set('decision', decisions.join(','));
  if (route !== '') query.set('route', route);
  if (code !== '') query.set('code', code);
  if (mcp !== '') query.set('mcp', mcp);
  if (tool !== '') query.set('tool', tool);
  if (shadow !== '') query.set('shadow', shadow);
  if (text !== '') query.set('q', text);
  if (slower !== undefined) query.set('slower', String(slower));
  if (from !== undefined) query.set('from', new Date(from).toISOString());
  if (to !== undefined) query.set('to', new Date(to).toISOString());
  if (sort !== 'newest') query.set('sort', sort);
  if (isGrouped) query.set('group', '1');
  return query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%2F', '/');
}

/** Whether rows are left out. */
export function isFiltering(filters: Filters): boolean {
  return writeFilters({ ...filters, sort: 'newest', isGrouped: false }) !== '';
}

/** Made once for a filter, then asked for each of thousands of rows. */
export function matcher(filters: Filters): (row: Row) => boolean {
  const { decisions, route, code, mcp, tool, shadow, slower, from, to } = filters;
  const text = filters.text.trim().toLowerCase();
  return (row) => {
    if (route !== '' && row.route !== route && row.routeName !== route) return false;
    if (code !== '' && row.access?.code !== code && row.response?.code !== code) return false;
    if (mcp !== '' && row.mcp?.method !== mcp) return false;
    if (tool !== '' && row.mcp?.name !== tool) return false;
    if (shadow !== '' && !shadowResults(row).includes(shadow)) return false;
    if (slower !== undefined && !((providerMs(row) ?? 0) > slower)) return false;
    if (from !== undefined && !((row.time ?? 0) >= from)) return false;
    if (to !== undefined && !((row.time ?? 0) <= to)) return false;
    if (decisions.length > 0 && !decisions.includes(decisionOf(row).kind)) return false;
    return text === '' || searched(row).includes(text);
  };
}

/** Of both phases. */
export function shadowResults({ access, response }: Row): string[] {
  return [access?.shadow?.result, response?.shadow?.result].filter((result) => result !== undefined);
}

/** Kept for a row, since it is asked for at each stroke of a key. */
const SEARCHED = new WeakMap<Row, string>();

function searched(row: Row): string {
  const known = SEARCHED.get(row);
  if (known !== undefined) return known;
  const phases = [row.access, row.response].flatMap((phase) =>
    phase === undefined
      ? []
      : [phase.outcome, phase.status, phase.code, phase.detail, ...(phase.changed ?? [])],
  );
  const text = [
    ...[row.method, row.path, row.id, row.route, row.routeName, row.mcp?.method, row.mcp?.name],
    ...phases,
  ]
    .filter((part) => part !== undefined)
    .join(' ')
    .toLowerCase();
  SEARCHED.set(row, text);
  return text;
}

function readTime(text: string): number | undefined {
  const time = Date.parse(text);
  return Number.isFinite(time) ? time : undefined;
}
