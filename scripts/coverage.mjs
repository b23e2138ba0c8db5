// How much of src/ the tests run, child processes included; exit code 1 below the floor.
//   COVERAGE=1 npm test && npm run coverage
// vitest measures its own processes (coverage/coverage-final.json); what the built files ran as programs of their own is in
// coverage/children, in the terms of dist/, whose source maps lead back. A line counts as covered if either ran it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mergeProcessCovs } from '@bcoe/v8-coverage';
import istanbul from 'istanbul-lib-coverage';
import v8ToIstanbul from 'v8-to-istanbul';

/** Per cent of the lines of src/ without the page of `ping-auth inspect`, which a browser runs. */
const FLOOR = 95;
const WEAKEST = 15;

const root = fileURLToPath(new URL('..', import.meta.url));
const collected = join(root, 'coverage/coverage-final.json');
const children = join(root, 'coverage/children');

if (existsSync(collected)) process.exitCode = await report();
else {
  console.error('Nothing was collected: COVERAGE=1 npm test && npm run coverage');
  process.exitCode = 2;
}

async function report() {
  const files = istanbul.createCoverageMap(JSON.parse(readFileSync(collected, 'utf8')));
  const byChildren = existsSync(children) ? await linesOfChildren() : new Map();
  const rows = files.files().map((file) => {
    const lines = Object.entries(files.fileCoverageFor(file).getLineCoverage());
    const more = byChildren.get(file);
    const missed = lines
      .filter(([line, hits]) => hits === 0 && !more?.has(Number(line)))
      .map(([line]) => line);
    return { file: relative(root, file), lines: lines.length, missed };
  });
  rows.sort((a, b) => b.missed.length - a.missed.length);
  for (const { file, lines, missed } of rows.slice(0, WEAKEST).filter(({ missed }) => missed.length > 0))
    console.log(`${percent(lines - missed.length, lines)} ${file}: not run: ${ranges(missed.map(Number))}`);
  const total = rows.reduce((sum, { lines }) => sum + lines, 0);
  const covered = total - rows.reduce((sum, { missed }) => sum + missed.length, 0);
  const isEnough = covered >= (total * FLOOR) / 100;
  console.log(`${covered} of ${total} lines: ${percent(covered, total)}; the floor is ${FLOOR} %`);
  return isEnough ? 0 : 1;
}

/** Lines that child processes ran, by source file. */
async function linesOfChildren() {
  const processes = readdirSync(children)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(children, name), 'utf8')))
    .map(({ result }) => ({ result: result.filter(({ url }) => url.startsWith(`file://${root}dist/`)) }));
  const found = new Map();
  for (const { url, functions } of mergeProcessCovs(processes).result) {
    const converter = v8ToIstanbul(fileURLToPath(url));
    await converter.load();
    converter.applyCoverage(functions);
    for (const [path, file] of Object.entries(converter.toIstanbul())) {
      const source = resolve(root, path);
      const lines = found.get(source) ?? new Set();
      found.set(source, lines);
      const { statementMap, s } = file;
      for (const [key, { start }] of Object.entries(statementMap)) if (s[key] > 0) lines.add(start.line);
    }
    converter.destroy();
  }
  return found;
}

function percent(part, whole) {
  return `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
}

/** 1, 2, 3, 7: "1-3 7" */
function ranges(numbers) {
  const found = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last?.[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? from : `${from}-${to}`)).join(' ');
}
