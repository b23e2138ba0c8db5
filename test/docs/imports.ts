import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { read, root } from './pages.js';

export interface Import {
  /** A file of this project from its root (`src/sideband/request-context.ts`), or what is imported as it is written (`node:net`, `undici`). */
  readonly to: string;
  /** Gone when the program runs. */
  readonly typeOnly: boolean;
}

/** What each file of a program below a folder imports, by the file's path from the root. Tests are left out. */
export function importsBelow(folder: string): ReadonlyMap<string, readonly Import[]> {
  const files = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !/\.(test|d)\.ts$/.test(file))
    .map((file) => `${folder}/${file}`);
  return new Map(files.sort().map((file) => [file, importsOf(file)]));
}

/** By the form in which Biome writes statements: each at the start of a line, `import()` anywhere. */
function importsOf(file: string): readonly Import[] {
  const text = read(file);
  const resolved = (name: string) => {
    if (!name.startsWith('.')) return name;
    const path = join(dirname(file), name).replace(/\.js$/, '');
    return [`${path}.ts`, `${path}.tsx`].find((candidate) => existsSync(join(root, candidate))) ?? path;
  };
  const statements = [...text.matchAll(/^(?:import|export)\b([^;'"]*?)\bfrom '([^']+)'/gm)].map(
    ([, what = '', name = '']) => ({ to: resolved(name), typeOnly: isTypeOnly(what) }),
  );
  const others = [...text.matchAll(/\bimport(?: |\()'([^']+)'/g)].map(([, name = '']) => ({
    to: resolved(name),
    typeOnly: false,
  }));
  return [...statements, ...others];
}

/** `type { A }` or `{ type A, type B }`. */
function isTypeOnly(what: string): boolean {
  if (/^\s*type\b/.test(what)) return true;
  const [, names] = /^\s*\{([^}]*)\}/.exec(what) ?? [];
  return names?.split(',').every((name) => /^\s*(type\s|$)/.test(name)) ?? false;
}

/** Circles in the graph: each as the files in their order, the first one again at the end; none twice. */
export function circles(graph: ReadonlyMap<string, readonly Import[]>): readonly string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const walk = (file: string): void => {
    const at = way.indexOf(file);
    if (at >= 0) found.push([...way.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    way.push(file);
    for (const { to } of graph.get(file) ?? []) walk(to);
    way.pop();
    done.add(file);
  };
  for (const file of graph.keys()) walk(file);
  return found;
}
