import { computed } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { KIND_WORDS, KINDS } from './decision.js';
import { type Series, seriesOf, stacked } from './series.js';
import { filters, plotted, rows, setFilters } from './state.js';
import { milliseconds, secondsTime } from './time.js';

const PLOT_HEIGHT = 118;

/** Both plots span all that is kept, so that they do not jump when something is filtered. */
const series = computed<Series>(() => {
  const times = rows.value.flatMap(({ time }) => (time === undefined ? [] : [time]));
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const time of times) {
    if (time < from) from = time;
    if (time > to) to = time;
  }
  if (from > to) from = to = Date.now();
  // A few seconds look like nothing.
  return seriesOf(plotted.value, Math.min(from, to - 20_000), to);
});

export function Plots() {
  const theme = useTheme();
  const { rates, p50, p95, times, step } = series.value;
  // The largest sum first: smaller ones are painted over it.
  const data: uPlot.AlignedData = [times, ...stacked(rates).toReversed()];
  return (
    <div class="plots">
      <Plot
        title="Decisions a second"
        theme={theme}
        data={data}
        series={KINDS.toReversed().map((kind) => ({
          label: KIND_WORDS[kind],
          colour: `--${kind}`,
          isBar: true,
        }))}
        valueAt={(index) =>
          KINDS.flatMap((kind, at) => {
            const rate = rates[at]?.[index] ?? 0;
            return rate === 0 ? [] : [`${KIND_WORDS[kind]} ${round(rate)}/s`];
          }).join(', ') || 'none'
        }
        summary={KINDS.map(
          (kind, at) =>
            `${KIND_WORDS[kind]} ${Math.round((rates[at] ?? []).reduce((a, b) => a + b, 0) * step)}`,
        ).join(', ')}
      />
      <Plot
        title="Policy provider’s time"
        theme={theme}
        data={[times, p50, p95]}
        series={[
          { label: 'p50', colour: '--p50', isBar: false },
          { label: 'p95', colour: '--p95', isBar: false },
        ]}
        isTime
        valueAt={(index) => {
          const [middle, high] = [p50[index], p95[index]];
          return middle == null || high == null
            ? 'not asked'
            : `p50 ${milliseconds(middle)}, p95 ${milliseconds(high)}`;
        }}
        summary={`highest p95 ${milliseconds(Math.max(0, ...p95.map((value) => value ?? 0)))}`}
      />
    </div>
  );
}

interface PlotProps {
  title: string;
  theme: string;
  data: uPlot.AlignedData;
  series: readonly { label: string; colour: string; isBar: boolean }[];
  /** Milliseconds, over powers of ten: a time-out must not press all other answers to the ground. */
  isTime?: boolean;
  valueAt(index: number): string;
  /** For those who do not see it. */
  summary: string;
}

function Plot({ title, theme, data, series: lines, isTime = false, valueAt, summary }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const [caption, setCaption] = useState('');
  const read = useRef(valueAt);
  read.current = valueAt;

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const made = new uPlot(
      options(element.clientWidth, lines, isTime, (index) =>
        setCaption(index === null ? '' : `${timeAt(made, index)} · ${read.current(index)}`),
      ),
      data,
      element,
    );
    plot.current = made;
    markRange(made);
    const observer = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: PLOT_HEIGHT });
      markRange(made);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [theme]);

  useEffect(() => {
    plot.current?.setData(data);
    if (plot.current) markRange(plot.current);
  }, [data, filters.value.from, filters.value.to]);

  return (
    <figure class="plot">
      <figcaption>
        <b>{title}</b>
        <span class="key" aria-hidden="true">
          {caption !== ''
            ? caption
            : lines.length === 2 &&
              lines.map(({ label, colour }) => (
                <span key={label}>
                  <i class={`line ${colour.slice(2)}`} /> {label}
                </span>
              ))}
        </span>
      </figcaption>
      <div
        ref={place}
        class="canvas"
        role="img"
        aria-label={`${title}: ${summary}. Dragging over the plot sets From and To.`}
      />
    </figure>
  );
}

function options(
  width: number,
  lines: PlotProps['series'],
  isTime: boolean,
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  const bars = uPlot.paths.bars?.({ size: [0.85, 14], radius: 0 });
  return {
    width,
    height: PLOT_HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { show: false },
      drag: { x: true, y: false, setScale: false },
      sync: { key: 'time' },
    },
    scales: {
      y: isTime
        ? { distr: 3, range: wholePowers }
        : { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      { ...axis, size: 24, space: 70, values: timeLabels },
      isTime
        ? {
            ...axis,
            grid: { ...axis.grid, filter: powers },
            filter: powers,
            size: 50,
            space: 24,
            values: shortTimes,
          }
        : { ...axis, size: 50, space: 24, values: (_, values) => values.map(round) },
    ],
    series: [
      {},
      ...lines.map(({ label, colour: name, isBar }) => ({
        label,
        stroke: colour(name),
        ...(isBar
          ? { fill: colour(name), width: 0, paths: bars, points: { show: false } }
          : { width: 1.5, spanGaps: true, points: { size: 4, fill: colour(name) } }),
      })),
    ].map((one) => one as uPlot.Series),
    hooks: {
      init: [
        (made) => {
          let pressedAt = 0;
          made.over.classList.add('brush');
          made.over.addEventListener('mousedown', ({ clientX }) => {
            pressedAt = clientX;
          });
          // A click ends it: uPlot tells about drags only.
          made.over.addEventListener('click', ({ clientX }) => {
            if (Math.abs(clientX - pressedAt) < 3) setFilters({ from: undefined, to: undefined });
          });
        },
      ],
      setCursor: [(made) => onCursor(made.cursor.idx ?? null)],
      setSelect: [
        (made) => {
          const { left, width: wide } = made.select;
          if (wide < 3) return;
          const at = (position: number) => Math.round(made.posToVal(position, 'x') * 1000);
          setFilters({ from: at(left), to: at(left + wide) });
        },
      ],
    },
  };
}

function wholePowers(_: uPlot, least: number | null, most: number | null): uPlot.Range.MinMax {
  const low = 10 ** Math.floor(Math.log10(Math.max(least ?? 1, 0.1)));
  const high = 10 ** Math.ceil(Math.log10(Math.max(most ?? 100, 0.1)) + 0.01);
  return [low, Math.max(high, low * 10)];
}

/** Of the steps between them there are too many. */
function powers(_: uPlot, values: number[]): (number | null)[] {
  return values.map((value) => (Number.isInteger(Math.log10(value)) ? value : null));
}

function shortTimes(_: uPlot, values: (number | null)[]): string[] {
  return values.map((ms) => (ms === null ? '' : ms >= 1000 ? `${ms / 1000} s` : `${ms} ms`));
}

/** Shows From and To as a band. */
function markRange(plot: uPlot): void {
  const { from, to } = filters.peek();
  const wide = plot.over.clientWidth;
  if (from === undefined && to === undefined) {
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    return;
  }
  const at = (time: number | undefined, otherwise: number) =>
    time === undefined ? otherwise : Math.max(0, Math.min(wide, plot.valToPos(time / 1000, 'x')));
  const left = at(from, 0);
  const width = Math.max(1, at(to, wide) - left);
  plot.setSelect({ left, top: 0, width, height: plot.over.clientHeight }, false);
}

function timeLabels(plot: uPlot, values: number[]): string[] {
  const span = (plot.scales.x?.max ?? 0) - (plot.scales.x?.min ?? 0);
  return values.map((value) => {
    const clock = secondsTime(value * 1000);
    if (span > 2 * 86_400)
      return new Date(value * 1000).toLocaleDateString('en-GB', { day: 'numeric', month: 'short' });
    return span > 3600 ? clock.slice(0, 5) : clock;
  });
}

function timeAt(plot: uPlot, index: number): string {
  return secondsTime((plot.data[0][index] ?? 0) * 1000);
}

function round(value: number): string {
  return value >= 100 || Number.isInteger(value)
    ? Math.round(value).toLocaleString('en')
    : value.toPrecision(2);
}

/** Changes when the system goes from light to dark: a canvas does not know about that. */
function useTheme(): string {
  const query = matchMedia('(prefers-color-scheme: dark)');
  const [theme, setTheme] = useState(query.matches ? 'dark' : 'light');
  useEffect(() => {
    const onChange = () => setTheme(query.matches ? 'dark' : 'light');
    query.addEventListener('change', onChange);
    return () => query.removeEventListener('change', onChange);
  }, []);
  return theme;
}
