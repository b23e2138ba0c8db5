// Makes dist/: the library as plain ESM with types, and one self-contained file per executable that runs with nothing but Node.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const quick = process.argv.includes('--quick');

rmSync(`${root}dist`, { recursive: true, force: true });

const executables = {
  'ping-auth-pluginserver': 'src/cli/ping-auth-pluginserver.ts',
  'ping-auth': 'src/cli/ping-auth.ts',
};
for (const [name, entry] of Object.entries(executables)) {
  if (!existsSync(`${root}${entry}`)) continue;
  const outfile = `${root}dist/bin/${name}.mjs`;
  await build({
    entryPoints: [`${root}${entry}`],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.18',
    minifySyntax: true,
    legalComments: 'linked',
    // Bundled CommonJS packages call require() for Node's own modules.
    banner: {
      js: "#!/usr/bin/env node\nimport { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
  chmodSync(outfile, 0o755);
}

// The plugin for the stock kong-js-pluginserver: CommonJS, because that server loads plugins with require().
await build({
  entryPoints: [`${root}src/plugin/module.ts`],
  outfile: `${root}dist/js-plugins/ping-auth.cjs`,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.18',
  minifySyntax: true,
  legalComments: 'linked',
  logLevel: 'warning',
});

if (!quick) {
  execFileSync(
    process.execPath,
    [`${root}node_modules/typescript/bin/tsc`, '-p', `${root}tsconfig.build.json`],
    {
      stdio: 'inherit',
    },
  );
}
