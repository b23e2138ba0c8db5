// Makes single executables for images without Node: this machine's Node with one of the programs inside. Each is written to
// dist/single/ and runs where this Node runs: same system, same processor, same C library.
//   npm run build:sea                             both
//   npm run build:sea -- ping-auth-pluginserver   only that one
//   npm run build:sea -- --out=DIR                to another folder
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';
import postject from 'postject';
import { inspectorPage } from './inspector-page.mjs';

// Node looks for this mark in its own file; see its documentation of single executable applications.
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
const NAMES = ['ping-auth-pluginserver', 'ping-auth'];

if (process.platform !== 'linux') {
  console.error('error: single executables are made for Linux, on Linux: Kong runs there');
  process.exit(2);
}
const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } });
const out = resolve(values.out ?? `${root}dist/single`);
const names = positionals.length > 0 ? positionals : NAMES;
for (const name of names) {
  if (NAMES.includes(name)) continue;
  console.error(`error: there is no "${name}", only ${NAMES.join(' and ')}`);
  process.exit(2);
}

const page = await inspectorPage(root);
const work = mkdtempSync(join(tmpdir(), 'ping-auth-single-'));
try {
  mkdirSync(out, { recursive: true });
  for (const name of names) await makeSingle(name);
} finally {
  rmSync(work, { recursive: true, force: true });
}

async function makeSingle(name) {
  const bundle = join(work, `${name}.cjs`);
  await build({
    entryPoints: [`${root}src/cli/${name}.ts`],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: `node${process.versions.node}`,
    minifySyntax: true,
    define: name === 'ping-auth' ? page.define : {},
    legalComments: 'inline',
    logLevel: 'warning',
  });
  const blob = join(work, `${name}.blob`);
  const config = join(work, `${name}.json`);
  const settings = { main: bundle, output: blob, disableExperimentalSEAWarning: true, useCodeCache: true };
  writeFileSync(config, JSON.stringify(settings));
  execFileSync(process.execPath, ['--experimental-sea-config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });

  const executable = join(work, name);
  copyFileSync(process.execPath, executable);
  chmodSync(executable, 0o755);
  await postject.inject(executable, 'NODE_SEA_BLOB', readFileSync(blob), { sentinelFuse: FUSE });
  copyFileSync(executable, join(out, name));
  console.log(join(out, name));
}
