import type { Row } from '../wire.js';
import { KINDS, type Kind, providerMs, verdictOf } from './decision.js';

/** What the list shows. Empty: everything. All of it stands in the URL, so that a view can be passed on. */
export interface Filters {
  readonly decisions: readonly Kind[];
  readonly route: string;
  readonly code: string;
  /** Anywhere in what the list knows of a request; case does not matter. */
  readonly text: string;
  /** Milliseconds of the policy provider. */
  readonly slower: number | undefined;
  /** Milliseconds since 1970. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

export const NO_FILTERS: Filters = {
  decisions: [],
  route: '',
  code: '',
  text: '',
  slower: undefined,
  from: undefined,
  to: undefined,
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
    text: text('q'),
    slower: slower > 0 ? slower : undefined,
    from: readTime(text('from')),
    to: readTime(text('to')),
  };
}

/** Without a question mark; empty when nothing is filtered. */
export function writeFilters({ decisions, route, code, text, slower, from, to }: Filters): string {
  const query = new URLSearchParams();
  if (decisions.length > 0) query.set('decision', decisions.join(','));
  if (route !== '') query.set('route', route);
  if (code !== '') query.set('code', code);
  if (text !== '') query.set('q', text);
  if (slower !== undefined) query.set('slower', String(slower));
  if (from !== undefined) query.set('from', new Date(from).toISOString());
  if (to !== undefined) query.set('to', new Date(to).toISOString());
  return query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':');
}

/** Made once for a filter, then asked for each of thousands of rows. */
export function matcher(filters: Filters): (row: Row) => boolean {
  const { decisions, route, code, slower, from, to } = filters;
  const text = filters.text.trim().toLowerCase();
  return (row) => {
    if (route !== '' && row.route !== route) return false;
    if (code !== '' && row.access?.code !== code && row.response?.code !== code) return false;
    if (slower !== undefined && !((providerMs(row) ?? 0) > slower)) return false;
    if (from !== undefined && !((row.time ?? 0) >= from)) return false;
    if (to !== undefined && !((row.time ?? 0) <= to)) return false;
    if (decisions.length > 0 && !decisions.includes(verdictOf(row).kind)) return false;
    return text === '' || searched(row).includes(text);
  };
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
  const text = [row.method, row.path, row.id, row.route, ...phases]
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
