import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Row } from '../wire.js';
import { Badge } from './badge.js';
import { decisionOf, providerMs } from './decision.js';
import type { Sort } from './filters.js';
import { type Group, type Item, keyOf, targetOf } from './groups.js';
import {
  rows as allRows,
  filters,
  items,
  open,
  openGroups,
  openKey,
  setFilters,
  source,
  toggleGroup,
} from './state.js';
import { clockTime, milliseconds } from './time.js';

/** Pixels, as in styles/list.css: every row has the same height, so that only those in sight have to be there. */
const HEIGHT = { wide: 34, narrow: 62 };
const NARROW_BELOW = 640;
const MEDIUM_BELOW = 860;
/** Rows above and below what is in sight. */
const SPARE = 8;
/** Browsers draw nothing beyond some 16 to 33 million pixels; a longer list is scrolled in larger steps. */
const MAX_PIXELS = 12_000_000;

export function RequestList() {
  const box = useRef<HTMLDivElement>(null);
  const size = useSignal({ height: 600, width: 1000 });
  const scroll = useSignal(0);
  const active = useSignal<string | undefined>(undefined);
  const anchor = useRef<{ key: string; offset: number } | undefined>(undefined);
  const lines = items.value;
  const { sort, isGrouped } = filters.value;
  const isNarrow = size.value.width < NARROW_BELOW;
  const isMedium = !isNarrow && size.value.width < MEDIUM_BELOW;
  const height = isNarrow ? HEIGHT.narrow : HEIGHT.wide;
  const pixels = Math.min(lines.length * height, MAX_PIXELS);
  /** Pixels of the list for one of the scroll bar; 1 but for very long lists. */
  const scale = Math.max(
    1,
    (lines.length * height - size.value.height) / Math.max(1, pixels - size.value.height),
  );

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      size.value = { height: element.clientHeight, width: element.clientWidth };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // New requests come in above: whoever has scrolled down goes on reading where they were.
  useLayoutEffect(() => {
    const element = box.current;
    const held = anchor.current;
    if (element === null || held === undefined || sort !== 'newest') return;
    const index = lines.findIndex((item) => keyOf(item) === held.key);
    if (index !== -1) element.scrollTop = (index * height + held.offset) / scale;
  }, [lines, height]);

  const onScroll = () => {
    const top = (box.current?.scrollTop ?? 0) * scale;
    scroll.value = top;
    const first = lines[Math.floor(top / height)];
    anchor.current = top < 4 || first === undefined ? undefined : { key: keyOf(first), offset: top % height };
  };

  const goTo = (index: number) => {
    const at = Math.max(0, Math.min(index, lines.length - 1));
    const item = lines[at];
    const element = box.current;
    if (item === undefined || element === null) return;
    active.value = keyOf(item);
    const [top, shown] = [at * height, element.scrollTop * scale];
    if (top < shown) element.scrollTop = top / scale;
    else if (top + height > shown + element.clientHeight)
      element.scrollTop = (top + height - element.clientHeight) / scale;
    if (openKey.value !== undefined && item.kind === 'row') open(item.row.key);
  };

  const choose = (item: Item) => {
    active.value = keyOf(item);
    if (item.kind === 'row') open(item.row.key);
    else toggleGroup(item.group.key);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // A button of the head has keys of its own.
    if (event.target !== box.current) return;
    const at = lines.findIndex((item) => keyOf(item) === active.value);
    const page = Math.max(1, Math.floor(size.value.height / height) - 1);
    const target: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: lines.length - 1,
    };
    const index = target[event.key];
    const item = lines[at];
    if (index !== undefined) goTo(index);
    else if ((event.key === 'Enter' || event.key === ' ') && item !== undefined) choose(item);
    else return;
    event.preventDefault();
  };

  const range = useComputed(() => {
    const { height: visible } = size.value;
    const first = Math.max(0, Math.floor(scroll.value / height) - SPARE);
    return { first, last: Math.ceil((scroll.value + visible) / height) + SPARE };
  });
  const { first, last } = range.value;
  const shown = lines.slice(first, last);
  const isActiveShown = shown.some((item) => keyOf(item) === active.value);
  /** How far what is in sight lies from where it would be without the scale. */
  const shift = scroll.value - scroll.value / scale;
  return (
    <div
      ref={box}
      class={isNarrow ? 'grid narrow' : isMedium ? 'grid medium' : 'grid'}
      role={isGrouped ? 'treegrid' : 'grid'}
      aria-label={isGrouped ? 'Requests in groups' : `Requests, ${sort} first`}
      aria-rowcount={lines.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={isActiveShown ? idOf(active.value ?? '') : undefined}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {COLUMNS.map((name) => (
          <Heading key={name} name={name} />
        ))}
      </div>
      {lines.length === 0 && <Empty />}
      <div class="rows" role="rowgroup" style={{ height: `${pixels}px` }}>
        {shown.map((item, index) => (
          <Line
            key={keyOf(item)}
            item={item}
            index={first + index}
            top={(first + index) * height - shift}
            isActive={keyOf(item) === active.value}
            isInGroup={isGrouped}
            onClick={() => choose(item)}
          />
        ))}
      </div>
    </div>
  );
}

const COLUMNS = ['Time', 'Decision', 'Request', 'Status', 'Provider', 'Changes', 'Route'];
/** What a click on a column's heading makes of the order. */
const NEXT_SORT: Readonly<Record<string, (sort: Sort) => Sort>> = {
  Time: (sort) => (sort === 'newest' ? 'oldest' : 'newest'),
  Provider: (sort) => (sort === 'slowest' ? 'newest' : 'slowest'),
};

function Heading({ name }: { name: string }) {
  const { sort } = filters.value;
  const next = NEXT_SORT[name];
  const isSorted = name === 'Provider' ? sort === 'slowest' : name === 'Time' && sort !== 'slowest';
  const direction = isSorted ? (sort === 'oldest' ? 'ascending' : 'descending') : undefined;
  return (
    <span role="columnheader" class={`c-${name.toLowerCase()}`} aria-sort={direction}>
      {next === undefined ? (
        name
      ) : (
        <button type="button" class="sort" onClick={() => setFilters({ sort: next(sort) })}>
          {name}
          <span aria-hidden="true">
            {direction === undefined ? '' : direction === 'ascending' ? ' ↑' : ' ↓'}
          </span>
        </button>
      )}
    </span>
  );
}

interface LineProps {
  item: Item;
  index: number;
  top: number;
  isActive: boolean;
  isInGroup: boolean;
  onClick(): void;
}

function Line({ item, ...rest }: LineProps) {
  return item.kind === 'row' ? (
    <RequestRow row={item.row} {...rest} />
  ) : (
    <GroupRow group={item.group} {...rest} />
  );
}

function RequestRow({
  row,
  index,
  top,
  isActive,
  isInGroup,
  onClick,
}: Omit<LineProps, 'item'> & { row: Row }) {
  const { kind, isMonitored, isKnown, status, code } = decisionOf(row);
  const changes = [...(row.access?.changed ?? []), ...(row.response?.changed ?? [])];
  const isOpen = row.key === openKey.value;
  const { head, rest } = targetOf(row);
  const route = row.routeName ?? row.route;
  return (
    <div
      id={idOf(`r${row.key}`)}
      class={`row ${kind}${isActive ? ' active' : ''}${isOpen ? ' open' : ''}${isInGroup ? ' in-group' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isOpen}
      aria-level={isInGroup ? 2 : undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onClick}
    >
      <span role="gridcell" class="c-time">
        {clockTime(row.time)}
      </span>
      <span role="gridcell" class="c-decision">
        {isKnown ? (
          <Badge kind={kind} isMonitored={isMonitored} />
        ) : (
          <span class="badge none">under way</span>
        )}
      </span>
      <span role="gridcell" class="c-request" title={`${head ?? ''} ${rest}`.trim()}>
        {head !== undefined && <b>{head}</b>}{' '}
        {row.path === undefined && row.mcp === undefined ? <i>{rest}</i> : rest}
      </span>
      <span role="gridcell" class="c-status">
        {status ?? '–'}
      </span>
      <span role="gridcell" class="c-provider">
        {milliseconds(providerMs(row))}
      </span>
      <span role="gridcell" class="c-changes" title={code ?? changes.join(', ')}>
        {code === undefined ? changes.join(', ') : <code>{code}</code>}
      </span>
      <span role="gridcell" class="c-route" title={route}>
        {row.routeName ?? row.route?.slice(0, 8) ?? ''}
      </span>
    </div>
  );
}

function GroupRow({ group, index, top, isActive, onClick }: Omit<LineProps, 'item'> & { group: Group }) {
  const { key, decision, target, rows, slowest } = group;
  const isExpanded = openGroups.value.has(key);
  return (
    <div
      id={idOf(`g${key}`)}
      class={`row group ${decision.kind}${isActive ? ' active' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-level={1}
      aria-expanded={isExpanded}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onClick}
    >
      <span role="gridcell" class="c-time">
        <span class="twist" aria-hidden="true">
          {isExpanded ? '▾' : '▸'}
        </span>{' '}
        {rows.length.toLocaleString('en')} ×
      </span>
      <span role="gridcell" class="c-decision">
        {decision.isKnown ? (
          <Badge kind={decision.kind} isMonitored={decision.isMonitored} />
        ) : (
          <span class="badge none">under way</span>
        )}
      </span>
      <span role="gridcell" class="c-request" title={target}>
        {target}
      </span>
      <span role="gridcell" class="c-status">
        {decision.status ?? '–'}
      </span>
      <span role="gridcell" class="c-provider" title="the slowest">
        {milliseconds(slowest)}
      </span>
      <span role="gridcell" class="c-changes">
        {decision.code !== undefined && <code>{decision.code}</code>}
      </span>
      <span role="gridcell" class="c-route" />
    </div>
  );
}

function Empty() {
  const state = source.value;
  const words =
    allRows.value.length > 0
      ? 'No request is like that. Clear a filter to see more.'
      : state === undefined || !state.atEnd
        ? 'Reading …'
        : state.lines === 0
          ? 'The log is empty so far. Send a request through Kong; it appears here.'
          : 'No decision so far. Send a request through Kong; it appears here.';
  return (
    <div role="row" class="empty">
      <span role="gridcell">{words}</span>
    </div>
  );
}

/** An id has no blanks. */
function idOf(key: string): string {
  return `line-${key.replaceAll(/[^\w-]/g, '_')}`;
}
