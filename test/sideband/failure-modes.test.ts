import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ERRORS, type ErrorEntry } from '../../src/errors/catalogue.js';

const document = readFileSync(new URL('../../docs/failure-modes.md', import.meta.url), 'utf8');
const rows = document.split('\n').filter((line) => line.startsWith('| '));
const entries: [string, ErrorEntry][] = Object.entries(ERRORS);

test.each(entries)(
  'docs/failure-modes.md has %s with its status and whether it can fail open',
  (code, entry) => {
    const mine = rows.filter((row) => row.includes(`\`${code}\``));
    expect(mine.length).toBeGreaterThan(0);
    for (const row of mine) {
      const cells = row.split(' | ');
      expect(cells[1], row).toContain(String(entry.status));
      const mentioned = [...row.matchAll(/\(fail-open possible( with `fail_open_scope: unavailable`)?\)/g)];
      const scopes = mentioned.map(([, widened]) => (widened === undefined ? 'unreachable' : 'unavailable'));
      // Where a code has both, the catalogue has the wider one, and the table a row for each.
      if (entry.failOpenScope === undefined) expect(scopes, row).toEqual([]);
      else expect(scopes, row).toHaveLength(1);
      if (entry.failOpenScope === 'unreachable') expect(scopes, row).toEqual(['unreachable']);
    }
  },
);
