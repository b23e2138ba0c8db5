import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const CACHE = fileURLToPath(new URL('../node_modules/.cache/dev-programs/', import.meta.url));
const REQUIRE =
  "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);\n";

const bundles = new Map<string, Promise<string>>();

/**
 * A TypeScript program as one file of JavaScript: it starts in a quarter of the time that it takes from its sources, and the
 * tests start some programs a hundred times. Not for programs that look for files beside their own.
 * @returns the path of the file; it is made once, and again when the sources have changed
 */
export function bundledProgram(entry: string): Promise<string> {
  const known = bundles.get(entry) ?? bundle(entry);
  bundles.set(entry, known);
  return known;
}

async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.18',
    banner: { js: REQUIRE },
    write: false,
    logLevel: 'error',
  });
  const [output] = outputFiles;
  if (output === undefined) throw new Error(`${entry}: esbuild made nothing of it`);
  const path = join(CACHE, `${createHash('sha256').update(output.contents).digest('hex').slice(0, 16)}.mjs`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  // Several test processes may make it at once: whole or not at all.
  const half = `${path}.${process.pid}`;
  writeFileSync(half, output.contents);
  renameSync(half, path);
  return path;
}
