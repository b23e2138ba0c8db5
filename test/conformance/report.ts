import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { COUNTS } from './counts.js';

const countSchema = z.object({ file: z.string(), agree: z.number(), of: z.number() });

/** vitest's global set-up: forgets the counts of the last run, and prints those of this one when all is over. */
export function setup(): void {
  rmSync(COUNTS, { force: true });
}

export function teardown(): void {
  if (!existsSync(COUNTS)) return;
  const counts = readFileSync(COUNTS, 'utf8')
    .trim()
    .split('\n')
    .map((line) => countSchema.parse(JSON.parse(line)));
  const sum = (field: 'agree' | 'of'): number => counts.reduce((total, count) => total + count[field], 0);
  process.stdout.write(`conformance: ${sum('agree')} of ${sum('of')} recorded cases agree\n`);
}
