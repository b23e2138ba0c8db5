import { computed, signal } from '@preact/signals';
import { decisionOf, KIND_WORDS, KINDS, type Kind } from './decision.js';
import { isFiltering, NO_FILTERS, shadowResults } from './filters.js';
import { counted, filters, rows, setFilters } from './state.js';
import { inputTime } from './time.js';

const counts = computed(() => {
  const found = new Map<Kind, number>();
  for (const row of counted.value) {
    const { kind } = decisionOf(row);
    found.set(kind, (found.get(kind) ?? 0) + 1);
  }
  return found;
});
const routes = computed(() =>
  distinct(
    rows.value.map(({ route, routeName }) => routeName ?? route),
    filters.value.route,
  ),
);
const methods = computed(() =>
  distinct(
    rows.value.map(({ mcp }) => mcp?.method),
    filters.value.mcp,
  ),
);
const tools = computed(() =>
  distinct(
    rows.value.map(({ mcp }) => mcp?.name),
    filters.value.tool,
  ),
);
const shadows = computed(() => distinct(rows.value.flatMap(shadowResults), filters.value.shadow));
const codes = computed(() =>
  distinct(
    rows.value.flatMap(({ access, response }) => [access?.code, response?.code]),
    filters.value.code,
  ),
);

/** Whether the less common ones are there: the times everywhere, on a narrow screen all but decision and text. */
const isExpanded = signal(false);

export function FilterBar() {
  const { decisions, route, code, mcp, tool, shadow, text, slower, from, to, sort, isGrouped } =
    filters.value;
  const toggle = (kind: Kind) =>
    setFilters({
      decisions: decisions.includes(kind) ? decisions.filter((one) => one !== kind) : [...decisions, kind],
    });
  return (
    <form
      class={isExpanded.value || from !== undefined || to !== undefined ? 'filters expanded' : 'filters'}
      aria-label="Filters"
      onSubmit={(event) => event.preventDefault()}
    >
      <fieldset class="kinds">
        <legend>Decision</legend>
        {KINDS.map((kind) => (
          <button
            type="button"
            key={kind}
            class={`kind ${kind}`}
            aria-pressed={decisions.includes(kind)}
            onClick={() => toggle(kind)}
          >
            <span class="swatch" aria-hidden="true" />
            {KIND_WORDS[kind]} <b>{(counts.value.get(kind) ?? 0).toLocaleString('en')}</b>
          </button>
        ))}
      </fieldset>
      <label class="search">
        <span>Text</span>
        <input
          type="search"
          value={text}
          placeholder="path, id, code, header:name …"
          onInput={({ currentTarget }) => setFilters({ text: currentTarget.value })}
        />
      </label>
      <Choice
        label="Route"
        value={route}
        options={routes.value}
        onChange={(route) => setFilters({ route })}
      />
      <Choice label="Code" value={code} options={codes.value} onChange={(code) => setFilters({ code })} />
      {methods.value.length > 0 && (
        <>
          <Choice
            label="MCP method"
            value={mcp}
            options={methods.value}
            onChange={(mcp) => setFilters({ mcp })}
          />
          <Choice label="Tool" value={tool} options={tools.value} onChange={(tool) => setFilters({ tool })} />
        </>
      )}
      {shadows.value.length > 0 && (
        <Choice
          label="Shadow policy"
          value={shadow}
          options={shadows.value}
          onChange={(shadow) => setFilters({ shadow })}
        />
      )}
      <label class="extra">
        <span>Slower than</span>
        <input
          type="number"
          min="0"
          step="any"
          placeholder="ms"
          value={slower ?? ''}
          onInput={({ currentTarget }) => setFilters({ slower: Number(currentTarget.value) || undefined })}
        />
      </label>
      <TimeInput label="From" time={from} onChange={(from) => setFilters({ from })} />
      <TimeInput label="To" time={to} onChange={(to) => setFilters({ to })} />
      <button
        type="button"
        class="more-button"
        aria-expanded={isExpanded.value}
        onClick={() => {
          isExpanded.value = !isExpanded.value;
        }}
      >
        {isExpanded.value ? 'Fewer filters' : 'More filters'}
      </button>
      {isFiltering(filters.value) && (
        <button type="button" class="clear" onClick={() => setFilters({ ...NO_FILTERS, sort, isGrouped })}>
          Clear filters
        </button>
      )}
    </form>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  options: readonly string[];
  onChange(value: string): void;
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <label class="extra">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChange(currentTarget.value)}>
        <option value="">any</option>
        {options.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

interface TimeInputProps {
  label: string;
  time: number | undefined;
  onChange(time: number | undefined): void;
}

function TimeInput({ label, time, onChange }: TimeInputProps) {
  return (
    <label class="time">
      <span>{label}</span>
      <input
        type="datetime-local"
        step="1"
        value={inputTime(time)}
        onChange={({ currentTarget }) => onChange(readInput(currentTarget.value))}
      />
    </label>
  );
}

/** With what the URL asks for, even while no request has it. */
function distinct(values: readonly (string | undefined)[], chosen: string): string[] {
  const found = new Set(values.filter((value) => value !== undefined));
  if (chosen !== '') found.add(chosen);
  return [...found].sort().slice(0, 500);
}

function readInput(text: string): number | undefined {
  const time = new Date(text).getTime();
  return Number.isFinite(time) ? time : undefined;
}
