// Makes dist/. Every file of code in it is self-contained and runs with nothing but Node: the executables, the plugin for the
// stock plugin server (CommonJS), the library (ESM) and its types. --quick: without the library and its types.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { inspectorPage } from './inspector-page.mjs';
import { keepLibraryTypes } from './library-types.mjs';
import { thirdPartyLicenses } from './third-party-licenses.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const quick = process.argv.includes('--quick');
// Bundled CommonJS packages call require() for Node's own modules.
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);";

// A shell's script first, whose rest is a comment to JavaScript. Kong runs its commands without an environment, and without PATH
// env(1) looks in /bin and /usr/bin only; a shell has a default PATH with /usr/local/bin in it. When Node.js is nowhere, the
// shell can say so, and 127 makes Kong log an error, where it is silent at its default level otherwise.
// The two settings make the C library give the memory of large bodies back to the system: without them a process keeps what it
// once had, far beyond its budget (`npm run faults -- --only hostile`).
const HEADER = `#!/usr/bin/env sh
':' /*
export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072
if node=$(command -v node); then exec "$node" "$0" "$@"; fi
echo "$0: there is no node in PATH ($PATH). Write its full path in front of the command, also in kong.conf: /opt/node/bin/node $0" >&2
exit 127
*/`;

rmSync(`${root}dist`, { recursive: true, force: true });
const page = await inspectorPage(root);
const metafiles = [page.metafile];

const executables = {
  'ping-auth-pluginserver': 'src/cli/ping-auth-pluginserver.ts',
  'ping-auth': 'src/cli/ping-auth.ts',
};
for (const [name, entry] of Object.entries(executables)) {
  if (!existsSync(`${root}${entry}`)) continue;
  const outfile = `bin/${name}.mjs`;
  const define = name === 'ping-auth' ? page.define : {};
  await bundle(entry, outfile, { format: 'esm', define, banner: { js: `${HEADER}\n${REQUIRE}` } });
  chmodSync(`${root}dist/${outfile}`, 0o755);
}
// CommonJS, because kong-js-pluginserver loads plugins with require().
await bundle('src/index.ts', 'js-plugins/ping-auth.cjs', { format: 'cjs' });

if (!quick) {
  await bundle('src/index.ts', 'index.js', { format: 'esm', banner: { js: REQUIRE } });
  const tsc = [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`];
  execFileSync(process.execPath, tsc, { stdio: 'inherit' });
  keepLibraryTypes(`${root}dist/types`);
}
writeFileSync(`${root}dist/THIRD-PARTY-LICENSES.txt`, thirdPartyLicenses(root, metafiles));

async function bundle(entry, outfile, options) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`${root}${entry}`],
    outfile: `${root}dist/${outfile}`,
    bundle: true,
    platform: 'node',
    alias: { undici: `${root}scripts/undici-parts.cjs` },
    target: 'node20.18',
    minifySyntax: true,
    legalComments: 'linked',
    // For `npm run coverage`: child processes run these files.
    sourcemap: process.env.COVERAGE === '1',
    logLevel: 'warning',
    metafile: true,
    ...options,
  });
  metafiles.push(metafile);
}
