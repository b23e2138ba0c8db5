import { fileURLToPath } from 'node:url';

/** Where the test files leave their counts for report.ts. */
export const COUNTS = fileURLToPath(
  new URL('../../node_modules/.cache/conformance/counts.jsonl', import.meta.url),
);
