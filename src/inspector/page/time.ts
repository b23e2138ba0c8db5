const CLOCK: Intl.DateTimeFormatOptions = {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
};
const clock = new Intl.DateTimeFormat('en-GB', { ...CLOCK, fractionalSecondDigits: 3 });
const seconds = new Intl.DateTimeFormat('en-GB', CLOCK);
const day = new Intl.DateTimeFormat('en-CA', { year: 'numeric', month: '2-digit', day: '2-digit' });

/** `16:05:12.345`, in the time of whoever looks. */
export function clockTime(time: number | undefined): string {
  return time === undefined ? '–' : clock.format(time);
}

export function secondsTime(time: number): string {
  return seconds.format(time);
}

/** `2026-11-25 16:05:12.345` */
export function dayAndTime(time: number | undefined): string {
  return time === undefined ? '–' : `${day.format(time)} ${clock.format(time)}`;
}

/** For `<input type="datetime-local" step="1">`. */
export function inputTime(time: number | undefined): string {
  return time === undefined ? '' : `${day.format(time)}T${seconds.format(time)}`;
}

export function milliseconds(ms: number | undefined): string {
  if (ms === undefined) return '–';
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms).toLocaleString('en')} ms`;
}
