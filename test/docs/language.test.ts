// The terms of the project: one name for each concept. What is rejected here was once used for something that the field
// calls by another name (see the table in CONTRIBUTING.md), or reads like a riddle in the middle of an incident.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { FIELDS } from '../../src/config/schema.js';
import { ERRORS } from '../../src/errors/catalogue.js';
import { pages, root } from './pages.js';

/** What not to write, and what to write instead. */
const REJECTED: readonly (readonly [RegExp, string])[] = [
  [
    /\b(?:the|its|his|their|a) say\b|['’]s say\b|\bsa(?:id|ys) no\b|\bsay of the policy\b/i,
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
  [/\bplain permits?\b|\bas (?:it|they) came\b/i, 'allowed, unchanged'],
  [
    /\bnobody (?:waits|listens|catches|notices|noticed)\b|\bfor ever and a day\b|\blies\b/i,
    'a plain statement',
  ],
  [/\bspeaks?\b|\bspoken\b/i, 'uses, supports'],
  [/\bheld back\b|\bholds? (?:\w+ )?back\b/i, 'withheld, buffered'],
  [/\bin work\b/i, 'in progress'],
  [
    /\b(?:reason|word|server|log|tool|answer|refusal|case)s? of ours\b|\bour (?:own )?tool\b/i,
    'of ping-auth',
  ],
  [/\bway (?:in|out)\b/i, 'access phase, response phase'],
  [/(?<![`|"'\\])\brefusals?\b(?![`"'])/i, 'error response'],
  [/\bin the place of\b/i, 'instead of'],
  [/\bblank(?:ed|ing)\b/i, 'redacted'],
  [/\bwill not do\b|\bsaboteurs?\b/i, 'a plain statement'],
  [/\b(?:double of Kong|Kong's double|project's double)\b|\bmirrors?\b/i, 'stand-in for Kong'],
  [/\balarms?\b/i, 'rate-limited log'],
  [/\b(?:all is|is all) well\b/i, 'passed'],
  [/\bway of (?:one|a) request\b/i, 'request lifecycle'],
  [
    /(?:^|[.:;(] )(?:Is|Are|Dies|Does|Has|Had|Should|Was|Were) (?:it|the|there|an?|no|that|this|Node|Kong|ping-auth)\b[^?]*?, /m,
    'a condition that starts with if or when',
  ],
];

/** Files with comments that admins copy. */
const copied = readdirSync(join(root, 'kong'), { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.(?:ya?ml|conf|service|md|lua|sh)$|Dockerfile$/.test(file))
  .map((file) => ({ path: `kong/${file}`, text: readFileSync(join(root, 'kong', file), 'utf8') }));

/** What the executables print and log: the texts of these folders, help and metrics included. */
const printed = ['cli', 'errors', 'config', 'pluginserver', 'telemetry', 'plugin']
  .flatMap((folder) =>
    readdirSync(join(root, 'src', folder), { recursive: true, encoding: 'utf8' }).map(
      (file) => `src/${folder}/${file}`,
    ),
  )
  .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts'))
  .map((path) => ({ path, text: sentencesIn(readFileSync(join(root, path), 'utf8')).join('\n\n') }));

/** String literals of three words or more. */
function sentencesIn(code: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node) || ts.isTemplateHead(node))
      found.push(node.text);
    if (ts.isTemplateMiddle(node) || ts.isTemplateTail(node)) found.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('x.ts', code, ts.ScriptTarget.Latest));
  return found.filter((text) => /\S\s+\S+\s+\S/.test(text));
}

const texts = [
  // The entries of released versions stay as they were.
  ...pages.map(({ path, text }) => ({
    path,
    text: path === 'CHANGELOG.md' ? (text.split(/^## 2\.0\.0/m)[0] ?? '') : text,
  })),
  ...copied,
  ...printed,
  ...Object.entries(ERRORS).map(([code, { message, meaning, remedy }]) => ({
    path: `error ${code}`,
    text: `${message}.\n${meaning}.\n${remedy}.`,
  })),
  ...Object.entries(FIELDS).map(([name, { kong }]) => ({
    path: `setting ${name}`,
    text: String(kong.description),
  })),
];

/** Each in one line, so that a phrase over two lines is found; a list entry and a row of a table are paragraphs. */
const paragraphs = (text: string) =>
  text
    .split(/\n(?=\s*(?:[-*|#>]|\d+\.|```|$))/m)
    .map((paragraph) => paragraph.replaceAll(/\s*\n\s*/g, ' ').trim());

describe.each(texts)('$path', ({ text }) => {
  it('uses the terms of the field', () => {
    const found = REJECTED.flatMap(([pattern, instead]) =>
      paragraphs(text).flatMap((paragraph) => {
        const phrase = pattern.exec(paragraph)?.[0];
        return phrase === undefined ? [] : [`${phrase}  (instead: ${instead})  in: ${paragraph}`];
      }),
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
    'Should the server die, Kong answers',
    "passed without the policy's say",
    'the port does not speak TLS',
    'bytes are in work',
    'a refusal of ping-auth',
  ])
    expect(
      REJECTED.some(([pattern]) => pattern.test(phrase)),
      phrase,
    ).toBe(true);
});
