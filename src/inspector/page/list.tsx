import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Row } from '../wire.js';
import { Badge } from './badge.js';
import { providerMs, verdictOf } from './decision.js';
import { rows as allRows, listed, open, openKey, source } from './state.js';
import { clockTime, milliseconds } from './time.js';

/** Pixels, as in styles/list.css: every row has the same height, so that only those in sight have to be there. */
const HEIGHT = { wide: 34, narrow: 62 };
const NARROW_BELOW = 640;
const MEDIUM_BELOW = 860;
/** Rows above and below what is in sight. */
const SPARE = 8;

export function RequestList() {
  const box = useRef<HTMLDivElement>(null);
  const size = useSignal({ height: 600, width: 1000 });
  const scroll = useSignal(0);
  const active = useSignal<number | undefined>(undefined);
  const anchor = useRef<{ key: number; offset: number } | undefined>(undefined);
  const rows = listed.value;
  const isNarrow = size.value.width < NARROW_BELOW;
  const isMedium = !isNarrow && size.value.width < MEDIUM_BELOW;
  const height = isNarrow ? HEIGHT.narrow : HEIGHT.wide;

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
    if (element === null || held === undefined) return;
    const index = indexOf(rows, held.key);
    if (index !== undefined) element.scrollTop = index * height + held.offset;
  }, [rows, height]);

  const onScroll = () => {
    const top = box.current?.scrollTop ?? 0;
    scroll.value = top;
    const first = rows[Math.floor(top / height)];
    anchor.current = top < 4 || first === undefined ? undefined : { key: first.key, offset: top % height };
  };

  const goTo = (index: number) => {
    const row = rows[Math.max(0, Math.min(index, rows.length - 1))];
    const element = box.current;
    if (row === undefined || element === null) return;
    active.value = row.key;
    const top = rows.indexOf(row) * height;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + height > element.scrollTop + element.clientHeight)
      element.scrollTop = top + height - element.clientHeight;
    if (openKey.value !== undefined) open(row.key);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const at = active.value === undefined ? -1 : (indexOf(rows, active.value) ?? -1);
    const page = Math.max(1, Math.floor(size.value.height / height) - 1);
    const target: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const index = target[event.key];
    if (index !== undefined) goTo(index);
    else if ((event.key === 'Enter' || event.key === ' ') && active.value !== undefined) open(active.value);
    else return;
    event.preventDefault();
  };

  const range = useComputed(() => {
    const { height: visible } = size.value;
    const first = Math.max(0, Math.floor(scroll.value / height) - SPARE);
    return { first, last: Math.ceil((scroll.value + visible) / height) + SPARE };
  });
  const { first, last } = range.value;
  const shown = rows.slice(first, last);
  const isActiveShown = shown.some(({ key }) => key === active.value);
  return (
    <div
      ref={box}
      class={isNarrow ? 'grid narrow' : isMedium ? 'grid medium' : 'grid'}
      role="grid"
      aria-label="Requests, newest first"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      aria-activedescendant={isActiveShown ? `row-${active.value}` : undefined}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div class="row head" role="row" aria-rowindex={1}>
        {COLUMNS.map((name) => (
          <span role="columnheader" key={name} class={`c-${name.split(' ')[0]?.toLowerCase()}`}>
            {name}
          </span>
        ))}
      </div>
      {rows.length === 0 && <Empty />}
      <div class="rows" role="rowgroup" style={{ height: `${rows.length * height}px` }}>
        {shown.map((row, index) => (
          <RequestRow
            key={row.key}
            row={row}
            index={first + index}
            top={(first + index) * height}
            isActive={row.key === active.value}
            isOpen={row.key === openKey.value}
            onClick={() => {
              active.value = row.key;
              open(row.key);
            }}
          />
        ))}
      </div>
    </div>
  );
}

const COLUMNS = ['Time', 'Decision', 'Request', 'Status', 'Provider', 'Changes', 'Route'];

interface RowProps {
  row: Row;
  index: number;
  top: number;
  isActive: boolean;
  isOpen: boolean;
  onClick(): void;
}

function RequestRow({ row, index, top, isActive, isOpen, onClick }: RowProps) {
  const { kind, isMonitored, isKnown, status, code } = verdictOf(row);
  const changes = [...(row.access?.changed ?? []), ...(row.response?.changed ?? [])];
  return (
    <div
      id={`row-${row.key}`}
      class={`row ${kind}${isActive ? ' active' : ''}${isOpen ? ' open' : ''}`}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={isOpen}
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
      <span role="gridcell" class="c-request" title={row.path}>
        {row.method !== undefined && <b>{row.method}</b>} {row.path ?? <i>{row.id ?? 'unknown'}</i>}
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
      <span role="gridcell" class="c-route" title={row.route}>
        {row.route?.slice(0, 8) ?? ''}
      </span>
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
          : 'No decision line so far. Is this the file of --log-file?';
  return (
    <div role="row" class="empty">
      <span role="gridcell">{words}</span>
    </div>
  );
}

/** Keys fall from the first row to the last. */
function indexOf(rows: readonly Row[], key: number): number | undefined {
  let [low, high] = [0, rows.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = rows[middle]?.key ?? 0;
    if (found === key) return middle;
    if (found > key) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}
