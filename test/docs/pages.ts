import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** Every page that users and contributors read. */
export const pages = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'RELEASING.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
].map((path) => ({ path, text: read(path) }));

export interface Snippet {
  readonly path: string;
  readonly language: string;
  readonly text: string;
}

/** Fenced code of all pages, without its indentation. */
export const snippets: readonly Snippet[] = pages.flatMap(({ path, text }) =>
  [...text.matchAll(/^( *)```(\w+)\n([\s\S]*?)^ *```$/gm)].map(
    ([, indent = '', language = '', body = '']) => ({
      path,
      language,
      text: body.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  ),
);

/** What stands between single backticks on all pages. */
export const inlineCode: readonly Snippet[] = pages.flatMap(({ path, text }) =>
  [...text.replaceAll(/```[\s\S]*?```/g, '').matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => ({
    path,
    language: 'text',
    text: code,
  })),
);

/** The only snippet of a language on a page, or the first one that has a text in it. @throws Error when there is none */
export function snippet(path: string, language: string, containing = ''): string {
  const found = snippets.find(
    (one) => one.path === path && one.language === language && one.text.includes(containing),
  );
  if (found === undefined) throw new Error(`${path} has no ${language} snippet with "${containing}"`);
  return found.text;
}
