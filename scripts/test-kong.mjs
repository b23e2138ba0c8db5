// Runs the end-to-end, operations and conformance tests against a Kong of yours and prints a table of what came of it.
//   KONG=/usr/local/bin/kong npm run test:kong
//   KONG=/usr/local/bin/kong npm run test:kong -- test/e2e/bodies.test.ts     some of them
// Kong's workers run as the user that runs the tests; KONG_NGINX_USER="kong kong" runs them as another one.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const HOW_TO_GET_ONE = `KONG is not set. It names the CLI of an installed Kong Gateway, 3.8 or later, whose workers can reach this folder:

  KONG=/usr/local/bin/kong npm run test:kong

In a container (Node.js 20.18.1 or later has to be installed in it):

  docker run --rm --user root -v "$PWD":/work -w /work kong:3.9 sh -c '… && KONG=/usr/local/bin/kong npm run test:kong'

The job "kong" in .github/workflows/ci.yml does that for several versions. Packages: https://developer.konghq.com/gateway/install/`;
const AREAS = ['test/e2e', 'test/operations', 'test/conformance'];

const root = fileURLToPath(new URL('..', import.meta.url));
process.exitCode = process.env.KONG ? run(process.env.KONG) : fail(2, HOW_TO_GET_ONE);

function run(kong) {
  let version;
  try {
    version = execFileSync(kong, ['version'], { encoding: 'utf8' }).trim();
  } catch (error) {
    return fail(2, `${kong} version: ${error.message}`);
  }
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-kong-'));
  const report = join(folder, 'report.json');
  try {
    const tests = process.argv.length > 2 ? process.argv.slice(2) : AREAS;
    const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...tests];
    const options = [
      ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
      // A Kong takes seconds to start.
      ...['--hookTimeout=240000', '--testTimeout=120000'],
    ];
    const { status } = spawnSync(process.execPath, [...vitest, ...options], { cwd: root, stdio: 'inherit' });
    console.log(`\n${table(version, JSON.parse(readFileSync(report, 'utf8')).testResults)}`);
    return status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A Markdown table for docs/compatibility.md. A test that was skipped in a file that ran is one that this Kong cannot have. */
function table(version, files) {
  const rows = AREAS.map((area) => {
    const own = files.filter(({ name }) => relative(root, name).startsWith(`${area}/`));
    const statuses = own.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
    const count = (...wanted) => statuses.filter((status) => wanted.includes(status)).length;
    const broken = own.filter(
      ({ status, assertionResults }) =>
        status === 'failed' && assertionResults.every(({ status }) => status !== 'failed'),
    );
    return {
      area,
      cases: statuses.length,
      passed: count('passed'),
      // Pending ones were never run, because their process crashed.
      failed: count('failed', 'pending') + broken.length,
      notApplicable: count('skipped', 'todo', 'disabled'),
    };
  });
  const sum = (field) => rows.reduce((total, row) => total + row[field], 0);
  const total = {
    area: 'all',
    cases: sum('cases'),
    passed: sum('passed'),
    failed: sum('failed'),
    notApplicable: sum('notApplicable'),
  };
  return [
    '| Kong | Tests | Cases | Passed | Failed | Not applicable |',
    '| --- | --- | --- | --- | --- | --- |',
    ...[...rows, total]
      .filter(({ cases, failed }) => cases + failed > 0)
      .map(
        (row) =>
          `| ${[version, row.area, row.cases, row.passed, row.failed, row.notApplicable].join(' | ')} |`,
      ),
  ].join('\n');
}

function fail(code, message) {
  console.error(message);
  return code;
}
