/** The value below which this share of all lies; 0.5 is the median. NaN for an empty list. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** `1.23`, `12.3`, `123`: three digits that matter. */
export function digits(value: number): string {
  return value >= 1000 ? String(Math.round(value)) : Number(value.toPrecision(3)).toString();
}
