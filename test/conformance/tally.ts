import { appendFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { kongCan } from '../support/kong.js';
import { CHANCE_CASES } from './chance-cases.js';
import type { Difference } from './compare.js';
import { COUNTS_FILE } from './counts.js';
import { FINDINGS_FILE, firstDifference, type Outcome } from './finding.js';

export interface Played {
  readonly name: string;
  /** Plays the case. Called once, before the tests are looked at. */
  readonly play: () => Promise<Outcome>;
  /** A plugin with a response phase meets a client over HTTP/2. */
  readonly overHttp2?: boolean;
}

const CONCURRENCY = 24;

/** For working on one case: CONFORMANCE_ONLY='exit_304' npx vitest run test/conformance -t exit_304 */
const ONLY =
  process.env.CONFORMANCE_ONLY === undefined ? undefined : new RegExp(process.env.CONFORMANCE_ONLY);

/** For the recorder. */
function keep(file: string, outcome: Outcome): void {
  const findings = process.env[FINDINGS_FILE];
  if (findings === undefined || typeof outcome !== 'object') return;
  const lines = outcome
    .filter(({ difference }) => difference !== undefined)
    .map(({ at, observed }) => `${JSON.stringify({ file: file.split(' ')[0], at, observed })}\n`);
  appendFileSync(findings, lines.join(''));
}

/** Plays every case, some at a time, and makes one test of each. */
export function conformanceTests(file: string, cases: readonly Played[]): { playAll: () => Promise<void> } {
  const results = new Map<string, Difference>();
  const playAll = async (): Promise<void> => {
    const waiting = cases.filter(({ name }) => ONLY === undefined || ONLY.test(name));
    const work = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const outcome = await next.play().catch((error: unknown) => `failed: ${String(error)}`);
        results.set(next.name, firstDifference(outcome));
        keep(file, outcome);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    const agree = [...results.values()].filter((difference) => difference === undefined).length;
    const counts = process.env[COUNTS_FILE];
    if (counts !== undefined)
      appendFileSync(counts, `${JSON.stringify({ file, agree, of: results.size })}\n`);
  };
  for (const { name, overHttp2 } of cases) {
    const chance = CHANCE_CASES[name];
    const isApplicable = chance === undefined || kongCan.repeatTableOrder;
    const canRun = overHttp2 !== true || kongCan.bufferHttp2;
    test.skipIf(!isApplicable || !canRun)(chance === undefined ? name : `${name} (${chance.reason})`, () => {
      const difference = results.get(name);
      if (chance?.difference !== undefined) expect(difference).toMatch(chance.difference);
      else if (difference !== undefined) throw new Error(difference);
    });
  }
  return { playAll };
}
