// How large the core is, and how much of it one request runs: `npm run core-size`. Writes the files of one request into
// docs/contributors/architecture.md.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClientRequest } from '../dev/http-client.js';
import { startObservedServer } from '../test/support/executed-code.js';
import { between } from './generated/generated-files.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PAGE = join(ROOT, 'docs/contributors/architecture.md');
/** In the order in which a request meets them. */
const CORE = [
  ...['pluginserver', 'plugin', 'kong', 'http', 'mcp', 'sideband', 'directives', 'telemetry', 'config'],
  'errors',
];

interface Module {
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly lines: number }[];
}

const modules = CORE.map(readModule);
const { few, many } = await run();
const seesEachHeader = new Set(
  [...many].flatMap(([file, counts]) =>
    Object.entries(counts).some(([piece, count]) => count - (few.get(file)?.[piece] ?? 0) >= 20)
      ? [file]
      : [],
  ),
);
const lifecycle = modules.flatMap(({ name, files }) => {
  const run = files.filter(({ path }) => few.has(path));
  const cells = run.map(({ path }) => {
    const file = path.replace(`src/${name}/`, '');
    return `\`${file}\`${seesEachHeader.has(path) ? ' •' : ''}`;
  });
  return run.length === 0 ? [] : [`| \`src/${name}/\` | ${run.length} | ${cells.join(', ')} |`];
});
const table = ['| Module | Files | |', '| --- | --- | --- |', ...lifecycle].join('\n');

writeFileSync(PAGE, between(readFileSync(PAGE, 'utf8'), 'lifecycle', table));
for (const { name, files } of modules) print(name, files.length, linesOf(files));
const all = modules.flatMap(({ files }) => files);
print('core', all.length, linesOf(all));
const onTheWay = all.filter(({ path }) => few.has(path));
print('one GET', onTheWay.length, linesOf(onTheWay));
console.log(`${seesEachHeader.size} files run once for each header`);

function readModule(name: string): Module {
  const files = readdirSync(join(ROOT, 'src', name), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .sort()
    .map((file) => {
      const path = `src/${name}/${file}`;
      return { path, lines: readFileSync(join(ROOT, path), 'utf8').split('\n').length - 1 };
    });
  return { name, files };
}

function linesOf(files: Module['files']): number {
  return files.reduce((sum, { lines }) => sum + lines, 0);
}

function print(name: string, files: number, lines: number): void {
  console.log(`${name.padEnd(14)}${String(files).padStart(4)} files ${String(lines).padStart(6)} lines`);
}

/** What a plain permitted GET runs, in both phases; once with twenty more headers. */
async function run() {
  const request: ClientRequest = { method: 'GET', path: '/orders?page=2', headers: [['accept', '*/*']] };
  const more = Array.from({ length: 20 }, (_, n) => [`x-header-${n}`, `value ${n}`] as const);
  const server = await startObservedServer();
  try {
    // The first request starts the instance and opens a connection.
    await server.executedBy(request);
    const few = await server.executedBy(request);
    return {
      few,
      many: await server.executedBy({ ...request, headers: [...(request.headers ?? []), ...more] }),
    };
  } finally {
    await server.close();
  }
}
