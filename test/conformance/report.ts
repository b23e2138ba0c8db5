import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { COUNTS_FILE } from './counts.js';

const countSchema = z.object({ file: z.string(), agree: z.number(), of: z.number() });

/** vitest's global set-up: a file for the counts of this run, and their sum when all is over. */
export function setup(): void {
  process.env[COUNTS_FILE] = join(mkdtempSync(join(tmpdir(), 'conformance-counts-')), 'counts.jsonl');
}

export function teardown(): void {
  const file = process.env[COUNTS_FILE] ?? '';
  if (existsSync(file)) {
    const counts = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => countSchema.parse(JSON.parse(line)));
    const sum = (field: 'agree' | 'of'): number => counts.reduce((total, count) => total + count[field], 0);
    process.stdout.write(`conformance: ${sum('agree')} of ${sum('of')} recorded cases agree\n`);
  }
  rmSync(dirname(file), { recursive: true, force: true });
}
