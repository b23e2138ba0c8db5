import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes longest: first, so that in the end no worker is left alone with one of them. */
const LONGEST = [
  'dev/faults/',
  'test/inspector/',
  'test/package/',
  'test/docs/commands',
  'test/conformance/',
  'test/e2e/',
  'dev/',
  'test/',
];

/** Small tests beside the code come last and fill the gaps. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const path = relative(this.ctx.config.root, moduleId);
      const found = LONGEST.findIndex((start) => path.startsWith(start));
      return found === -1 ? LONGEST.length : found;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  test: {
    include: ['{src,dev,test}/**/*.test.ts'],
    setupFiles: ['test/support/child-coverage.ts'],
    globalSetup: ['test/support/leftovers.ts', 'test/conformance/report.ts'],
    sequence: { sequencer: LongestFirst },
    // Two are busy while the third waits for a process or a clock.
    maxWorkers: 3,
    pool: 'forks',
    // Files share what they load: a process for each would cost more than most of the tests.
    isolate: false,
    // Generous: a machine that others use too must not make a test fail.
    testTimeout: 60_000,
    // COVERAGE=1 npm test && npm run coverage
    coverage: {
      enabled: process.env.COVERAGE === '1',
      provider: 'v8',
      include: ['src/**/*.{ts,tsx}'],
      exclude: ['src/inspector/page/**', '**/*.test.ts', '**/*.d.ts'],
      reporter: ['json'],
      reportsDirectory: 'coverage',
      reportOnFailure: true,
    },
    hookTimeout: 60_000,
  },
});
