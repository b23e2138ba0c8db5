import type { Difference } from './compare.js';

/** One part of a recorded case beside what this Kong did. */
export interface Finding {
  /** Where the part stands in the recording's file. */
  readonly at: readonly (string | number)[];
  readonly difference: Difference;
  /** In the recording's notation. */
  readonly observed: unknown;
}

/** What a play gives: all parts of a recorded case, or only whether there is a difference. */
export type Outcome = Difference | readonly Finding[];

export function firstDifference(outcome: Outcome): Difference {
  return typeof outcome === 'object' ? outcome.find(({ difference }) => difference)?.difference : outcome;
}

/** A part with one value, such as a status. */
export function finding(at: Finding['at'], what: string, recorded: unknown, observed: unknown): Finding {
  const same = recorded === observed;
  return { at, observed, difference: same ? undefined : `${what}: Kong ${recorded}; here ${observed}` };
}

/**
 * The environment variable that names the file in which `npm run record` finds the parts that differ; each line is
 * `{file, at, observed}`.
 */
export const FINDINGS_FILE = 'CONFORMANCE_FINDINGS_FILE';
