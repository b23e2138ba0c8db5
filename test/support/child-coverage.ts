import { fileURLToPath } from 'node:url';

/**
 * With COVERAGE=1 the child processes of tests write what they executed into this folder when they exit; scripts/coverage.mjs adds it
 * to what vitest measures in its own processes. Node.js reads the variable when it starts, so only children do.
 */
export const CHILD_COVERAGE =
  process.env.COVERAGE === '1'
    ? fileURLToPath(new URL('../../coverage/children', import.meta.url))
    : undefined;

if (CHILD_COVERAGE !== undefined) process.env.NODE_V8_COVERAGE = CHILD_COVERAGE;
