import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');
const { dependencies, devDependencies = {} } = JSON.parse(read('package.json')) as {
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
};
const [, bundled = '', development = ''] = read('docs/contributors/dependencies.md').split(/^## /m);

/** Packages in the first column of a section's table. */
const named = (section: string) =>
  [...section.matchAll(/^\| ([^|]+?) \|/gm)]
    .flatMap(([, cell = '']) => cell.split(', '))
    .filter((name) => name !== 'Package' && name !== '---')
    .sort();

/** Packages that src/ imports: they end up in the executables. */
const imported = new Set(
  readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.test.ts'))
    .flatMap((file) => [
      ...read(`src/${file}`).matchAll(/\b(?:from|import\()\s*'((?:@[^/']+\/)?[^/'.:]+)[/']/g),
    ])
    .map(([, name = '']) => name),
);

it('docs/contributors/dependencies.md has a reason for each package in the executables', () => {
  expect(named(bundled)).toEqual([...imported].sort());
});

it('docs/contributors/dependencies.md has a reason for each other package', () => {
  const others = Object.keys(devDependencies).filter((name) => !imported.has(name));
  expect(named(development)).toEqual(others.sort());
});

it('nothing has to be installed at run time', () => {
  expect(dependencies).toBeUndefined();
  for (const name of imported) expect(Object.keys(devDependencies)).toContain(name);
});

it('every package is pinned to one version', () => {
  for (const version of Object.values(devDependencies))
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/);
});
