import { defineConfig } from 'vitest/config';

/** For both projects. Not by `extends: true`, which would run the global set-up once for each of them, too. */
const shared = {
  pool: 'forks',
  isolate: false,
  // Generous: a machine that others use too must not make a test fail.
  testTimeout: 60_000,
  hookTimeout: 60_000,
} as const;

export default defineConfig({
  test: {
    globalSetup: ['test/support/leftovers.ts', 'test/conformance/report.ts'],
    maxWorkers: 3,
    projects: [
      // Small tests beside the code share what they load: a process for each file would cost more than the tests.
      { test: { ...shared, name: 'unit', include: ['src/**/*.test.ts'] } },
      { test: { ...shared, name: 'system', include: ['dev/**/*.test.ts', 'test/**/*.test.ts'] } },
    ],
  },
});
