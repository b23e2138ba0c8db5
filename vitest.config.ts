import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/conformance/report.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Generous: a machine that others use too must not make a test fail.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      // Small tests beside the code share what they load: a process for each file would cost more than the tests.
      { extends: true, test: { name: 'unit', include: ['src/**/*.test.ts'], isolate: false } },
      {
        extends: true,
        test: { name: 'system', include: ['dev/**/*.test.ts', 'test/**/*.test.ts'], isolate: false },
      },
    ],
  },
});
