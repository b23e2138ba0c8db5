import type { JsonValue } from './rules.js';

/** What a `{{name}}` in a rule may refer to. */
export type Lookup = (name: string) => JsonValue | undefined;

const PLACEHOLDER = /\{\{\s*([^{}]+?)\s*\}\}/g;
const WHOLE = /^\{\{\s*([^{}]+?)\s*\}\}$/;

/** Replaces every `{{name}}`; what is not known becomes nothing, what is not a string becomes JSON. */
export function fillText(template: string, lookup: Lookup): string {
  return template.replace(PLACEHOLDER, (_, name: string) => {
    const value = lookup(name) ?? '';
    return typeof value === 'string' ? value : JSON.stringify(value);
  });
}

/** The same in every string of a JSON value. A string that is one placeholder and nothing else becomes the value itself. */
export function fillJson(template: JsonValue, lookup: Lookup): JsonValue {
  if (typeof template === 'string') {
    const name = WHOLE.exec(template)?.[1];
    return name === undefined ? fillText(template, lookup) : (lookup(name) ?? null);
  }
  if (Array.isArray(template)) return template.map((item) => fillJson(item, lookup));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fillJson(value, lookup)]));
}

/** The value at `a.b.0` of a JSON value; undefined when the way ends early. */
export function atPath(value: JsonValue | undefined, path: readonly string[]): JsonValue | undefined {
  let current = value;
  for (const step of path) {
    if (Array.isArray(current)) current = current[Number(step)];
    else if (current !== null && typeof current === 'object' && Object.hasOwn(current, step))
      current = current[step];
    else return undefined;
  }
  return current;
}
