import { useEffect } from 'preact/hooks';
import { ExchangeView } from './exchange.js';
import { FilterBar } from './filter-bar.js';
import { RequestList } from './list.js';
import { Plots } from './plots.js';
import { areShortcutsShown, Shortcuts } from './shortcuts.js';
import {
  connection,
  filters,
  isFolded,
  isPaused,
  listed,
  neighbour,
  open,
  openKey,
  rows,
  setFilters,
  source,
  toggleFolded,
  togglePause,
  waiting,
} from './state.js';

export function App() {
  useEffect(() => {
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  if (connection.value === 'refused') return <Refused />;
  const isOpen = openKey.value !== undefined;
  return (
    <div class={isOpen ? 'page has-open' : 'page'}>
      <Header />
      <main>
        {!isFolded.value && (
          <section class="overview" id="overview" aria-label="Overview and filters">
            <Plots />
            <FilterBar />
          </section>
        )}
        <div class="split">
          <section class="list-side" aria-label="Requests">
            <RequestList />
          </section>
          {isOpen && <ExchangeView />}
        </div>
      </main>
      <Shortcuts />
    </div>
  );
}

function Header() {
  const state = source.value;
  return (
    <header class="top">
      <h1>
        <img src="/icon.svg" alt="" width="22" height="22" /> ping-auth <span>inspect</span>
      </h1>
      {state && (
        <p class="source" title={state.name}>
          {state.name}
        </p>
      )}
      <Status />
      <p class="counts" aria-live="polite">
        {listed.value.length === rows.value.length
          ? amount(rows.value.length, 'request')
          : `${listed.value.length.toLocaleString('en')} of ${amount(rows.value.length, 'request')}`}
      </p>
      {state !== undefined && state.broken > 0 && <Unreadable />}
      <div class="tools">
        <button type="button" aria-pressed={filters.value.isGrouped} onClick={toggleGrouped} title="g">
          Group
        </button>
        <button type="button" aria-expanded={!isFolded.value} onClick={toggleFolded} title="f">
          {isFolded.value ? 'Show filters' : 'Hide filters'}
        </button>
        <button type="button" aria-label="Shortcuts" onClick={showShortcuts} title="?">
          ?
        </button>
      </div>
      <button type="button" class="pause" aria-pressed={isPaused.value} onClick={togglePause} title="p">
        {isPaused.value ? 'Resume' : 'Pause'}
        {waiting.value > 0 && <span class="waiting"> {waiting.value.toLocaleString('en')} new</span>}
      </button>
    </header>
  );
}

function Status() {
  const state = source.value;
  const [tone, words] =
    connection.value === 'lost'
      ? ['bad', 'connection lost; is ping-auth inspect still running?']
      : state === undefined
        ? ['idle', 'connecting']
        : state.trouble !== undefined
          ? ['bad', state.trouble]
          : isPaused.value
            ? ['idle', 'paused']
            : state.closed
              ? ['idle', 'input ended']
              : state.atEnd
                ? ['good', 'live']
                : ['good', 'reading'];
  return (
    <p class={`status ${tone}`} role="status">
      <span class="dot" aria-hidden="true" /> {words}
    </p>
  );
}

/** Lines of the log that no request could be made of. */
function Unreadable() {
  const state = source.value;
  if (state === undefined) return null;
  return (
    <details class="unreadable">
      <summary>{amount(state.broken, 'unreadable line')}</summary>
      <ul>
        {state.problems.map(({ line, problem }) => (
          <li key={line}>
            <b>
              {state.name}:{line}
            </b>{' '}
            {problem}
          </li>
        ))}
        {state.broken > state.problems.length && <li>… and earlier ones</li>}
      </ul>
    </details>
  );
}

function Refused() {
  return (
    <main class="refused">
      <h1>This page needs its link</h1>
      <p>
        The log is shown only to a browser that was opened with the link which <code>ping-auth inspect</code>{' '}
        printed. A link works once; after each use the terminal shows a new one.
      </p>
    </main>
  );
}

function toggleGrouped(): void {
  setFilters({ isGrouped: !filters.value.isGrouped });
}

function showShortcuts(): void {
  areShortcutsShown.value = true;
}

function amount(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`;
}

/** Keys that work everywhere but where one writes. */
function onKey(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target as HTMLElement;
  if (event.key === 'Escape' && openKey.value !== undefined) {
    open(undefined);
    document.querySelector<HTMLElement>('.grid')?.focus();
    return;
  }
  if (/^(input|select|textarea)$/i.test(target.tagName)) return;
  if (areShortcutsShown.value) return;
  if (event.key === 'p') togglePause();
  if (event.key === 'f') toggleFolded();
  if (event.key === 'g') toggleGrouped();
  if (event.key === 's') setFilters({ sort: filters.value.sort === 'slowest' ? 'newest' : 'slowest' });
  if (event.key === '?') showShortcuts();
  if (event.key === 'j' || event.key === 'k') {
    const next = neighbour(event.key === 'j' ? 1 : -1);
    if (next !== undefined) open(next);
  }
  if (event.key === '/') {
    event.preventDefault();
    if (isFolded.value) toggleFolded();
    // Once it is drawn.
    requestAnimationFrame(() => document.querySelector<HTMLElement>('input[type=search]')?.focus());
  }
}
