import { appendFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Difference } from './compare.js';
import { COUNTS_FILE } from './counts.js';
import { NOT_MODELLED } from './not-modelled.js';

export interface Played {
  readonly name: string;
  /** Plays the case. Called once, before the tests are looked at. */
  readonly play: () => Promise<Difference>;
}

const CONCURRENCY = 24;

/** For working on one case: CONFORMANCE_ONLY='exit_304' npx vitest run test/conformance -t exit_304 */
const ONLY =
  process.env.CONFORMANCE_ONLY === undefined ? undefined : new RegExp(process.env.CONFORMANCE_ONLY);

/** Plays every case, some at a time, and makes one test of each. */
export function conformanceTests(file: string, cases: readonly Played[]): { playAll: () => Promise<void> } {
  const results = new Map<string, Difference>();
  const playAll = async (): Promise<void> => {
    const waiting = cases.filter(({ name }) => ONLY === undefined || ONLY.test(name));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        results.set(next.name, await next.play().catch((error: unknown) => `failed: ${String(error)}`));
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    const agree = [...results.values()].filter((difference) => difference === undefined).length;
    const counts = process.env[COUNTS_FILE];
    if (counts !== undefined)
      appendFileSync(counts, `${JSON.stringify({ file, agree, of: results.size })}\n`);
  };
  for (const { name } of cases) {
    const reason = NOT_MODELLED[name];
    if (reason === undefined) {
      test(name, () => {
        const difference = results.get(name);
        if (difference !== undefined) throw new Error(difference);
      });
    } else {
      // Listed as different: the list must not outlive the difference.
      test(`${name} (not modelled: ${reason})`, () => expect(results.get(name)).toBeDefined());
    }
  }
  return { playAll };
}
