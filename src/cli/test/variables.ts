import { VARIABLE } from './case-schema.js';
import type { Path, Problem } from './yaml-source.js';

/** Where values of variables come from, the first that has one counts. */
export interface Scope {
  /** Of the row of a case. */
  readonly row: Readonly<Record<string, unknown>>;
  /** Of the file. */
  readonly file: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Filled with what was taken from the environment, so that it can be kept out of reports. */
  readonly taken: Map<string, string>;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: what authors write
const SPELLING = 'expected ${NAME} or ${NAME:-value}; write $${ for a plain ${';
const NAME = /^[A-Za-z_][\w.]*$/;

/**
 * The value with its variables replaced, at any depth; names of members stay. A text that is one variable and nothing else takes
 * its value with its type. What cannot be replaced is added to `problems`.
 */
export function replaceVariables(value: unknown, path: Path, scope: Scope, problems: Problem[]): unknown {
  if (typeof value === 'string') return replaceInText(value, path, scope, problems);
  if (Array.isArray(value)) {
    return value.map((item, index) => replaceVariables(item, [...path, index], scope, problems));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      name,
      replaceVariables(member, [...path, name], scope, problems),
    ]),
  );
}

function replaceInText(text: string, path: Path, scope: Scope, problems: Problem[]): unknown {
  const complain = (message: string) => problems.push({ path, message });
  const lookUp = (inside: string | undefined): unknown => {
    const [, name = '', instead] = /^(.*?)(?::-(.*))?$/s.exec(inside ?? '') ?? [];
    if (!NAME.test(name)) complain(SPELLING);
    else if (Object.hasOwn(scope.row, name)) return scope.row[name];
    else if (Object.hasOwn(scope.file, name)) return scope.file[name];
    else {
      const found = scope.environment[name];
      if (found) scope.taken.set(name, found);
      const result = found || instead;
      if (result !== undefined) return result;
      complain(`the variable ${name} is neither in the row nor in variables, and not set in the environment`);
    }
    return '';
  };
  const [whole] = text.matchAll(VARIABLE);
  if (whole?.[0] === text && whole[1] !== undefined) return lookUp(whole[1]);
  return text.replaceAll(VARIABLE, (match, inside: string | undefined) => {
    if (match === '$${') return '${';
    const value = lookUp(inside);
    if (typeof value !== 'object' || value === null) return String(value);
    complain('a mapping or a list can only stand alone, not inside a text');
    return '';
  });
}

/** Hides what came from the environment: a report may end in the log of a CI job that others read. */
export function hideTaken(taken: ReadonlyMap<string, string>): (text: string) => string {
  const secrets = [...taken]
    .flatMap(([name, value]) =>
      [value, JSON.stringify(value).slice(1, -1)].map((form) => [name, form] as const),
    )
    // A shorter one would be found in ordinary words.
    .filter(([, form]) => form.length >= 4)
    .sort(([, a], [, b]) => b.length - a.length);
  return (text) => secrets.reduce((clean, [name, form]) => clean.replaceAll(form, `\${${name}}`), text);
}
