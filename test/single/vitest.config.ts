import { defineConfig } from 'vitest/config';

// Apart from `npm test`: each single executable is 100 MB and takes seconds to make. `npm run test:sea`.
export default defineConfig({
  test: { include: ['test/single/*.check.ts'], testTimeout: 60_000, hookTimeout: 120_000 },
});
