// The terms of the project: one name for each concept. What is rejected here was once used for something that the field
// calls by another name (see the table in CONTRIBUTING.md), or reads like a riddle in the middle of an incident.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../src/config/schema.js';
import { ERRORS } from '../../src/errors/catalogue.js';
import { pages, root } from './pages.js';

/** What not to write, and what to write instead. */
const REJECTED: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:the|its|his|their|a) say\b|\bsaid no\b|\bsay of the policy\b/i,
    'denied by the policy, evaluated by the policy',
  ],
  [/\bverdicts?\b/i, 'decision'],
  [/\bpatience\b/i, 'call deadline, time-out'],
  [/\bavoidance\b/i, 'outlier ejection'],
  [/\bmemos?\b/i, 'request context'],
  [/\b(?:content |transfer )?codings?\b/i, 'content encoding'],
  [/\bund(?:o|oes|one|oing)\b/i, 'decode'],
  [/\bone-line headers?\b/i, 'singleton header'],
  [/\bstray\b/i, 'unexpected'],
  [/\b(?:mended|healed|mends|heals)\b/i, 'fixed'],
  [/\banew\b/i, 'again'],
  [/\bwithout a word\b/i, 'silently'],
  [/\bto the letter\b/i, 'verbatim'],
  [/\bplain permits?\b/i, 'allowed, unchanged'],
  [/\bnobody waits\b|\bfor ever and a day\b|\blies\b/i, 'a plain statement'],
  [/\b(?:all is|is all) well\b/i, 'passed'],
  [/\bway of (?:one|a) request\b/i, 'request lifecycle'],
  [
    /(?:^|[.:;] )(?:Is|Are|Dies|Does|Has|Should) (?:it|the|there|a|no|Node|that)\b[^?]*?, /m,
    'a condition that starts with if or when',
  ],
];

/** Files with comments that admins copy. */
const copied = readdirSync(join(root, 'kong'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:ya?ml|conf|service|md|lua|sh)$|Dockerfile$/.test(file))
  .map((file) => ({ path: `kong/${file}`, text: readFileSync(join(root, 'kong', file), 'utf8') }));

const texts = [
  // The entries of released versions stay as they were.
  ...pages.map(({ path, text }) => ({
    path,
    text: path === 'CHANGELOG.md' ? (text.split(/^## 2\.0\.0/m)[0] ?? '') : text,
  })),
  ...copied,
  ...Object.entries(ERRORS).map(([code, { message, meaning, remedy }]) => ({
    path: `error ${code}`,
    text: `${message}.\n${meaning}.\n${remedy}.`,
  })),
  ...Object.entries(FIELDS).map(([name, { kong }]) => ({
    path: `setting ${name}`,
    text: String(kong.description),
  })),
];

describe.each(texts)('$path', ({ text }) => {
  it('uses the terms of the field', () => {
    const lines = text.split('\n');
    const found = REJECTED.flatMap(([pattern, instead]) =>
      lines.flatMap((line, at) =>
        pattern.test(line) ? [`${at + 1}: ${line.trim()}  (instead: ${instead})`] : [],
      ),
    );
    expect(found).toEqual([]);
  });
});

it('rejects the phrases that it is for', () => {
  for (const phrase of [
    'the policy had its say',
    'starts it anew',
    'all is well, 4 warnings',
    'Is Node.js elsewhere, name it',
  ])
    expect(
      REJECTED.some(([pattern]) => pattern.test(phrase)),
      phrase,
    ).toBe(true);
});
