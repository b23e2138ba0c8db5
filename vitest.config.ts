import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/conformance/report.ts'],
    include: ['src/**/*.test.ts', 'dev/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Generous: a machine that others use too must not make a test fail.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
