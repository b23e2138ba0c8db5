// A YAML file as a value, with the place of each part of it for error messages.
import { type Document, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';

export interface Place {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

export type Path = readonly PropertyKey[];

/** Everything that is wrong with a file: one line each, `file:line:column: path: what is wrong`. */
class SourceError extends Error {
  override readonly name = 'SourceError';
}

/** Something wrong with a part of the file. */
export interface Problem {
  /** From the root; need not exist as far as its end. */
  readonly path: Path;
  readonly message: string;
}

/** With hundreds of mistakes it is one mistake, made often. */
const SHOWN_PROBLEMS = 20;

export class YamlSource {
  readonly value: unknown;
  readonly #file: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** @throws SourceError when the text is not YAML */
  constructor(file: string, text: string) {
    this.#file = file;
    this.#lines = new LineCounter();
    this.#document = parseDocument(text, { lineCounter: this.#lines, merge: true, prettyErrors: false });
    const { errors } = this.#document;
    if (errors.length > 0) {
      const lines = errors.map(({ pos, message }) => `${placeText(this.#place(pos[0]))}: ${message}`);
      throw new SourceError(lines.slice(0, SHOWN_PROBLEMS).join('\n'));
    }
    try {
      this.value = this.#document.toJS({ maxAliasCount: 1000 });
    } catch (thrown) {
      throw new SourceError(`${file}: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    }
  }

  /** Whether the file has something at this path. */
  has(path: Path): boolean {
    return path.length === 0 || this.#document.hasIn(path);
  }

  /** Of the deepest part of the path that the file has; of a member its name. */
  placeOf(path: Path): Place {
    for (let length = path.length; length > 0; length -= 1) {
      const parent: unknown =
        length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, length - 1), true);
      const name = path[length - 1];
      const key = isMap(parent)
        ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === name)?.key
        : undefined;
      const node = key ?? this.#document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return this.#place(node.range[0]);
    }
    return this.#place(0);
  }

  /** @throws SourceError when there are problems */
  complain(problems: readonly Problem[]): void {
    if (problems.length === 0) return;
    const lines = problems
      .slice(0, SHOWN_PROBLEMS)
      .map(({ path, message }) => `${placeText(this.placeOf(path))}: ${pathText(path)}${message}`);
    const more = problems.length - lines.length;
    throw new SourceError([...lines, ...(more > 0 ? [`… ${more} more`] : [])].join('\n'));
  }

  #place(offset: number): Place {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col) };
  }
}

export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`;
}

function pathText(path: Path): string {
  const text = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('');
  return text === '' ? '' : `${text.replace(/^\./, '')}: `;
}

/** zod's issues in words; of a union what is wrong with the alternative that was meant. */
export function problemsOf(error: z.ZodError, prefix: Path = []): Problem[] {
  return error.issues.flatMap((issue) => inWords(issue as Issue, prefix));
}

type Issue = z.core.$ZodIssue;

function inWords(issue: Issue, prefix: Path): Problem[] {
  const path = [...prefix, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ path: [...path, key], message: 'is not known here' }));
    case 'invalid_key':
      return issue.issues.map(({ message }) => ({ path, message }));
    case 'invalid_union': {
      const meant = issue.errors.find((issues) => issues.length > 0 && !issues.some(isOtherKind));
      if (meant) return meant.flatMap((one) => inWords(one, path));
      if (isMissing(issue)) return [{ path, message: 'is missing' }];
      const kinds = [...new Set(issue.errors.flat().flatMap(wanted))];
      return [{ path, message: `expected ${kinds.join(' or ')}` }];
    }
    case 'invalid_type':
      if (isMissing(issue)) return [{ path, message: 'is missing' }];
      return [{ path, message: `expected ${wanted(issue).join(' or ')}` }];
    case 'invalid_value':
      return [{ path, message: `expected ${wanted(issue).join(' or ')}` }];
    default:
      return [{ path, message: issue.message }];
  }
}

function isMissing(issue: Issue): boolean {
  if (issue.code === 'invalid_union')
    return issue.errors.flat().some((one) => one.path.length === 0 && isMissing(one));
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
}

/** The value is no attempt at this alternative. */
function isOtherKind(issue: Issue): boolean {
  if (issue.code === 'invalid_union')
    return issue.path.length === 0 && issue.errors.flat().every(isOtherKind);
  if (issue.path.length > 0) return false;
  return issue.code === 'invalid_type' || issue.code === 'invalid_value' || isNoVariable(issue);
}

function isNoVariable(issue: Issue): boolean {
  return issue.code === 'invalid_format' && issue.format === 'template_literal';
}

function wanted(issue: Issue): string[] {
  if (issue.code === 'invalid_union') return issue.errors.flat().flatMap(wanted);
  if (isNoVariable(issue)) return ['a variable'];
  if (issue.code === 'invalid_value') return issue.values.map((value) => JSON.stringify(value));
  if (issue.code !== 'invalid_type') return [issue.message.replace(/^expected /, '')];
  const names: Record<string, string> = { string: 'text', object: 'a mapping', record: 'a mapping' };
  return [names[issue.expected] ?? (issue.expected === 'array' ? 'a list' : issue.expected)];
}
