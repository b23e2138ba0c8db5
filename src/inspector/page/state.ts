import { batch, computed, effect, signal } from '@preact/signals';
import type { ExchangeDetail, Row, SourceState, Update } from '../wire.js';
import { type Filters, matcher, readFilters, writeFilters } from './filters.js';
import { itemsOf, sorted } from './groups.js';

export type Connection = 'connecting' | 'open' | 'lost' | 'refused';

/** By key, oldest first. */
const known = new Map<number, Row>();
const version = signal(0);
let run = '';

export const connection = signal<Connection>('connecting');
export const source = signal<SourceState | undefined>(undefined);
export const filters = signal<Filters>(readFilters(location.search));
/** While paused: what was there at that time. */
const frozen = signal<readonly Row[] | undefined>(undefined);
export const isPaused = computed(() => frozen.value !== undefined);

const live = computed<readonly Row[]>(() => {
  version.value;
  return [...known.values()];
});
/** Oldest first, unfiltered. */
export const rows = computed(() => frozen.value ?? live.value);
/** Requests that have come since the pause began. */
export const waiting = computed(() => {
  const last = frozen.value?.at(-1)?.key;
  return last === undefined ? 0 : live.value.filter(({ key }) => key > last).length;
});

/** Everything but the time: what the plots show. */
export const plotted = computed(() => {
  const isWanted = matcher({ ...filters.value, from: undefined, to: undefined });
  return rows.value.filter(isWanted);
});
/** What the list shows, in its order. */
export const listed = computed(() => {
  const { from, to, sort } = filters.value;
  const found =
    from === undefined && to === undefined ? plotted.value : rows.value.filter(matcher(filters.value));
  return sorted(found, sort);
});
/** Groups whose requests are shown below them. */
export const openGroups = signal<ReadonlySet<string>>(new Set());
/** The same with a line for each group. */
export const items = computed(() => {
  const { sort, isGrouped } = filters.value;
  return itemsOf(listed.value, sort, isGrouped, openGroups.value);
});
/** Everything but the decision: for the counts beside each of them. */
export const counted = computed(() => rows.value.filter(matcher({ ...filters.value, decisions: [] })));

/** The opened exchange. */
export const openKey = signal<number | undefined>(undefined);
export const detail = signal<ExchangeDetail | 'loading' | 'gone' | undefined>(undefined);
const openRow = computed(() => {
  version.value;
  return openKey.value === undefined ? undefined : known.get(openKey.value);
});

/** A URL may name a request that is yet to be read. */
let wanted = new URLSearchParams(location.search).get('request') ?? undefined;

export function setFilters(change: Partial<Filters>): void {
  filters.value = { ...filters.value, ...change };
  history.replaceState(null, '', url());
}

export function open(key: number | undefined): void {
  if (openKey.value === key) return;
  const wasOpen = openKey.value !== undefined;
  wanted = undefined;
  openKey.value = key;
  // "Back" leads to the list, not through everything that was looked at.
  if (wasOpen) history.replaceState(null, '', url());
  else history.pushState(null, '', url());
}

export function toggleGroup(key: string): void {
  const groups = new Set(openGroups.value);
  if (!groups.delete(key)) groups.add(key);
  openGroups.value = groups;
}

/** The opened request's neighbour in the list. @returns undefined at the end of the list */
export function neighbour(step: 1 | -1): number | undefined {
  const key = openKey.value;
  const rowsInOrder = items.value.flatMap((item) => (item.kind === 'row' ? [item.row.key] : []));
  const keys = rowsInOrder.length > 0 ? rowsInOrder : listed.value.map((row) => row.key);
  const at = key === undefined ? -1 : keys.indexOf(key);
  return at === -1 ? undefined : keys[at + step];
}

const FOLDED = 'ping-auth-inspect-folded';

/** Plots and filters are away. Without a choice of before: on a narrow screen, where the list comes first. */
export const isFolded = signal(readFolded());

export function toggleFolded(): void {
  isFolded.value = !isFolded.value;
  try {
    localStorage.setItem(FOLDED, String(isFolded.value));
  } catch {
    // A browser that keeps nothing asks again.
  }
}

function readFolded(): boolean {
  try {
    const kept = localStorage.getItem(FOLDED);
    if (kept !== null) return kept === 'true';
  } catch {
    // As above.
  }
  return matchMedia('(max-width: 760px)').matches;
}

export function togglePause(): void {
  frozen.value = frozen.value === undefined ? live.value : undefined;
}

function url(): string {
  const query = new URLSearchParams(writeFilters(filters.value));
  const row = openRow.value;
  if (row !== undefined) query.set('request', row.id ?? `#${row.key}`);
  const text = query.toString().replaceAll('%2C', ',').replaceAll('%3A', ':').replaceAll('%2F', '/');
  return text === '' ? location.pathname : `?${text}`;
}

/** Follows the log until the page is closed. */
export function connect(): void {
  // The token is used up; it must not stand in a URL that is passed on.
  history.replaceState(null, '', withoutToken());
  window.addEventListener('popstate', () => {
    batch(() => {
      filters.value = readFilters(location.search);
      wanted = new URLSearchParams(location.search).get('request') ?? undefined;
      openKey.value = wanted === undefined ? undefined : find(wanted);
    });
  });
  const events = new EventSource('/api/events');
  events.onopen = () => {
    connection.value = 'open';
  };
  events.onerror = () => {
    connection.value = events.readyState === EventSource.CLOSED ? 'refused' : 'lost';
  };
  events.onmessage = ({ data }) => later(JSON.parse(String(data)) as Update);
  effect(() => {
    void load(openRow.value, openKey.value);
  });
}

/** Drawing costs more than reading: of a long log, many messages are drawn at once. */
const DRAW_EVERY_MS = 200;
let pending: Update[] = [];

function later(update: Update): void {
  if (pending.length === 0) setTimeout(takeAll, version.peek() === 0 ? 0 : DRAW_EVERY_MS);
  pending.push(update);
}

function takeAll(): void {
  const updates = pending;
  pending = [];
  batch(() => updates.forEach(take));
}

function take(update: Update): void {
  batch(() => {
    if (update.run !== run) {
      run = update.run;
      known.clear();
      frozen.value = undefined;
    }
    for (const row of update.rows) known.set(row.key, row);
    for (const key of known.keys()) {
      if (key >= update.firstKey && known.size <= update.source.limit) break;
      known.delete(key);
    }
    source.value = update.source;
    version.value += 1;
    if (wanted !== undefined && openKey.value === undefined) openKey.value = find(wanted);
  });
}

function find(request: string): number | undefined {
  if (/^#\d+$/.test(request)) return Number(request.slice(1));
  let found: number | undefined;
  for (const { id, key } of known.values()) {
    if (id === request) return key;
    // The start of an id is enough, when no other one starts like that.
    if (id?.startsWith(request)) found = found === undefined ? key : Number.NaN;
  }
  return Number.isNaN(found) ? undefined : found;
}

async function load(row: Row | undefined, key: number | undefined): Promise<void> {
  if (key === undefined) {
    detail.value = undefined;
    return;
  }
  const before = detail.peek();
  if (typeof before !== 'object' || before.key !== key) detail.value = 'loading';
  if (row === undefined) {
    detail.value = 'gone';
    return;
  }
  const answer = await fetch(`/api/exchanges/${key}`).catch(() => undefined);
  const found = answer?.ok ? ((await answer.json()) as ExchangeDetail) : 'gone';
  if (openKey.peek() === key) detail.value = found;
}

function withoutToken(): string {
  const query = new URLSearchParams(location.search);
  query.delete('token');
  const text = query.toString();
  return text === '' ? location.pathname : `?${text}`;
}
