import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';

// npm run fuzz -- --minutes 5: the fuzz tests again and again, each round with another seed and more runs.
const { minutes, factor } = new Command('fuzz')
  .description('Runs test/fuzz with random seeds until the time is up; ends with 1 at the first failure.')
  .option('--minutes <n>', 'how long', Number, 5)
  .option(
    '--factor <n>',
    'so many times the runs that the tests name in one round; the test command makes half of them',
    Number,
    10,
  )
  .parse()
  .opts<{ minutes: number; factor: number }>();

const vitest = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url));
const folder = fileURLToPath(new URL('.', import.meta.url));
const end = performance.now() + minutes * 60_000;
let rounds = 0;
do {
  const seed = randomInt(1, 2 ** 31 - 1);
  const env = { ...process.env, FUZZ_SEED: String(seed), FUZZ_FACTOR: String(factor) };
  console.log(`round ${rounds + 1}: FUZZ_SEED=${seed} FUZZ_FACTOR=${factor}`);
  const { status } = spawnSync(process.execPath, [vitest, 'run', '--reporter=dot', folder], {
    env,
    stdio: 'inherit',
  });
  if (status !== 0) {
    console.error(`failed; again with: FUZZ_SEED=${seed} FUZZ_FACTOR=${factor} npx vitest run test/fuzz`);
    process.exit(1);
  }
  rounds++;
} while (performance.now() < end);
console.log(`${rounds} rounds, no failure`);
