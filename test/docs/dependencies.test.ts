import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8');
const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
  string,
  Record<string, string>
>;
const [, runTime = '', development = ''] = read('docs/dependencies.md').split(/^## /m);

it.each([
  ['at run time', runTime, dependencies],
  ['for development', development, devDependencies],
])('docs/dependencies.md has a reason for each package %s', (_, section, packages) => {
  const named = [...section.matchAll(/^\| ([^|]+?) \|/gm)].flatMap(([, cell = '']) => cell.split(', '));
  expect(named.filter((name) => name !== 'Package' && name !== '---').sort()).toEqual(
    Object.keys(packages ?? {}).sort(),
  );
});

it('every package is pinned to one version', () => {
  for (const version of Object.values({ ...dependencies, ...devDependencies }))
    expect(version).toMatch(/^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/);
});
