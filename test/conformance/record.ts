// Makes the recordings of a Kong, and compares those of two.
//   npm run record -- --kong /usr/local/bin/kong --out recordings/3.10     plays every case against that Kong
//   npm run record -- --diff recordings/3.9 recordings/3.10                what differs between two; exit code 1 if anything does
// Scripts and requests come from test/fixtures/kong-3.9.3. What this Kong did as recorded keeps its text (with its marks for what
// differs from run to run), so that a comparison shows only differences that matter.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FINDINGS_FILE } from './finding.js';
import {
  type Change,
  differences,
  RECORDED_FILES,
  readRecording,
  withChanges,
  writeRecording,
} from './recording-files.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(ROOT, 'test/fixtures/kong-3.9.3');
const USAGE = 'usage: npm run record -- --kong PATH --out FOLDER | --diff FOLDER FOLDER';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kong: { type: 'string' }, out: { type: 'string' }, diff: { type: 'boolean', default: false } },
});

if (values.diff) process.exitCode = diff(positionals[0], positionals[1]);
else if (values.kong !== undefined && values.out !== undefined) record(values.kong, values.out);
else fail();

function record(kong: string, out: string): void {
  console.log(execFileSync(kong, ['version'], { encoding: 'utf8' }).trim());
  const folder = mkdtempSync(join(tmpdir(), 'ping-auth-record-'));
  const findings = join(folder, 'findings.jsonl');
  try {
    const vitest = join(ROOT, 'node_modules/vitest/vitest.mjs');
    // Cases that differ fail; that is what they are recorded for.
    spawnSync(process.execPath, [vitest, 'run', 'test/conformance', '--hookTimeout=600000'], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, KONG: kong, [FINDINGS_FILE]: findings },
    });
    const changes = existsSync(findings) ? readFileSync(findings, 'utf8').split('\n').filter(Boolean) : [];
    const all = changes.map((line): Change => JSON.parse(line));
    for (const file of RECORDED_FILES) {
      const own = all.filter((change) => change.file === file);
      writeRecording(out, file, withChanges(readRecording(FIXTURES, file), own));
      console.log(`${join(out, file)}.json: ${own.length} parts differ from ${FIXTURES}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function diff(one: string | undefined, other: string | undefined): number {
  if (one === undefined || other === undefined) return fail();
  const found = RECORDED_FILES.flatMap((file) =>
    differences(readRecording(one, file), readRecording(other, file)).map((text) => `${file}/${text}`),
  );
  for (const line of found) console.log(line);
  console.log(`${found.length} differences`);
  return found.length === 0 ? 0 : 1;
}

function fail(): number {
  console.error(USAGE);
  process.exitCode = 2;
  return 2;
}
