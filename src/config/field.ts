import * as z from 'zod';
import type { KongField, KongPattern } from './kong-field.js';

/**
 * One configuration field as data: what zod checks, what Kong checks, what the admin reads. Everything else (the
 * TypeScript type, Kong's schema, kong/schema.lua, the table in the docs) is derived from it.
 */
export interface Field<Z extends z.ZodType = z.ZodType> {
  readonly zod: Z;
  /** Its description is Markdown in a tooltip of Kong Manager, 300 pixels wide: short paragraphs, URLs in backticks. */
  readonly kong: KongField & { readonly description: string };
  /** The description without what was appended from the field's own data; the table in the docs has columns for that. */
  readonly text?: string;
}

/** What a text has to look like. The patterns say the same to Kong, as far as Lua patterns can, so that it answers a mistake at once with 400. */
export interface TextFormat {
  /** Says what is wrong with a value and what to do, or undefined when it is right. Never repeats a secret. */
  readonly check: (value: string) => string | undefined;
  /** Brings the value into its normal form. */
  readonly prepare?: (value: string) => string;
  readonly match_all?: readonly KongPattern[];
  readonly match_none?: readonly KongPattern[];
  readonly encrypted?: boolean;
}

interface TextOptions extends TextFormat {
  /** The field takes vault references; the name of one for the description, such as `ping-auth-secret`. */
  readonly reference?: string;
}

/** With a default, Kong Manager shows it among the few fields that are visible at once, with the default filled in. */
export function requiredText(text: string, options: TextOptions & { readonly default?: string }) {
  const { zod, kong } = describedText(text, options);
  return {
    zod: options.default === undefined ? zod : zod.default(options.default),
    kong: { ...kong, required: true },
    text,
  } as const satisfies Field;
}

export function optionalText(text: string, options: TextOptions) {
  const { zod, kong } = describedText(text, options);
  return { zod: zod.optional(), kong, text } as const satisfies Field;
}

/** A list of strings, empty by default. */
export function textList(
  description: string,
  options: TextFormat & { readonly isReferenceable?: boolean; readonly len_max?: number },
) {
  const { isReferenceable = false, len_max, ...format } = options;
  const max = len_max ?? 1000;
  const { zod, kong } = formattedText(format, isReferenceable);
  return {
    zod: z
      .array(zod, { error: 'must be a list of strings' })
      .max(max, { error: `must have at most ${max} entries` })
      .readonly()
      .default([]),
    kong: {
      type: 'array',
      elements: kong,
      ...(len_max !== undefined && { len_max }),
      default: [] as readonly string[],
      description,
    },
  } as const satisfies Field;
}

function describedText(description: string, { reference, ...format }: TextOptions) {
  const { zod, kong } = formattedText(format, reference !== undefined);
  const named = reference === undefined ? [] : [referenceSentence(reference)];
  return { zod, kong: { ...kong, description: paragraphs(description, ...named) } };
}

function formattedText({ check, prepare = (value) => value, ...kong }: TextFormat, isReferenceable: boolean) {
  const references = isReferenceable ? BROKEN_REFERENCES : [];
  const problemOf = (value: string) =>
    value === ''
      ? 'must not be empty'
      : (references.find(({ looks }) => looks.test(value))?.err ?? check(value));
  const others = references.map(({ pattern, err }) => ({ pattern, err }));
  return {
    zod: z
      .string({ error: (issue) => `must be a string, not ${typeName(issue.input)}` })
      .check((context) => {
        const message = problemOf(context.value);
        if (message !== undefined)
          context.issues.push({ code: 'custom', message, input: undefined, continue: false });
      })
      .transform(prepare),
    kong: {
      type: 'string' as const,
      ...kong,
      ...(isReferenceable && { referenceable: true, match_none: [...others, ...(kong.match_none ?? [])] }),
    },
  };
}

/**
 * A vault reference that Kong does not recognise as one. It would go to the policy provider as if it were the value. Kong does not
 * apply patterns to whole references, so every text that begins like one is incomplete.
 */
const BROKEN_REFERENCES = [
  {
    looks: /^[\s{"']*\{\s*vault:/,
    pattern: '^[%s{"\']*{%s*vault:',
    err: 'is an incomplete vault reference; write it like {vault://env/ping-auth-secret}, from { to }',
  },
  {
    looks: /^[\s"']*vault:\/\//,
    pattern: '^[%s"\']*vault://',
    err: 'is a vault reference without braces; write it like {vault://env/ping-auth-secret}, from { to }',
  },
] as const;

/** Kong's environment vault reads a variable in upper case with underscores. */
function referenceSentence(name: string): string {
  const variable = name.replaceAll('-', '_').toUpperCase();
  return `Can be a vault reference: \`{vault://env/${name}}\` is the environment variable \`${variable}\` of Kong.`;
}

/** What a number counts, for its range in words. */
export type Unit = 'milliseconds' | 'bytes';

interface Range {
  readonly min: number;
  readonly max: number;
  readonly unit?: Unit;
}

/** A whole number from `min` to `max`. */
export function wholeNumber(text: string, range: Range & { readonly default: number }) {
  const { min, max, unit, default: value } = range;
  return {
    zod: checkedNumber(min, max).default(value),
    kong: {
      type: 'integer',
      between: [min, max],
      default: value,
      description: paragraphs(text, `${rangeInWords(range)}; empty: ${inWords(value, unit)}.`),
    },
    text,
  } as const satisfies Field;
}

/** @param text also says what an empty field means */
export function optionalWholeNumber(text: string, range: Range) {
  const { min, max } = range;
  const description = paragraphs(text, `${rangeInWords(range)}.`);
  return {
    zod: checkedNumber(min, max).optional(),
    kong: { type: 'integer', between: [min, max], description },
    text,
  } as const satisfies Field;
}

/** A whole number of milliseconds above 0 without an upper bound, as the existing plugin has it. */
export function positiveMilliseconds(text: string, options: { readonly default: number }) {
  const description = paragraphs(text, `Above 0; empty: ${inWords(options.default, 'milliseconds')}.`);
  return {
    zod: checkedNumber(1, Number.MAX_SAFE_INTEGER).default(options.default),
    kong: { type: 'integer', gt: 0, default: options.default, description },
    text,
  } as const satisfies Field;
}

export function flag(description: string, options: { readonly default: boolean }) {
  return {
    zod: z.boolean({ error: 'must be true or false' }).default(options.default),
    kong: { type: 'boolean', default: options.default, description },
  } as const satisfies Field;
}

/**
 * @param text with a paragraph for each value: `**omit**: …`
 * @param values the first one is the default
 */
export function choice<const V extends readonly [string, ...string[]]>(text: string, values: V) {
  const [first]: readonly [V[number], ...string[]] = values;
  return {
    zod: z
      .enum(values, { error: (issue) => `must be one of ${values.join(', ')}, not ${printed(issue.input)}` })
      .default(() => first),
    kong: {
      type: 'string',
      one_of: values,
      default: first as string,
      description: paragraphs(text, `Empty: ${first}.`),
    },
    text,
  } as const satisfies Field;
}

function paragraphs(...texts: readonly string[]): string {
  return texts.join('\n\n');
}

const UNITS: Readonly<Record<Unit, readonly (readonly [size: number, name: string])[]>> = {
  milliseconds: [
    [3_600_000, 'hour'],
    [60_000, 'minute'],
    [1000, 'second'],
  ],
  bytes: [
    [1_048_576, 'MiB'],
    [1024, 'KiB'],
  ],
};

/** `8388608 (8 MiB)`, `30000 (30 seconds)`; the number alone where it is a round one of no larger unit. */
export function inWords(value: number, unit: Unit | undefined): string {
  const [size = 1, name = ''] =
    (unit === undefined ? [] : UNITS[unit]).find(([one]) => value >= one && value % one === 0) ?? [];
  if (name === '') return String(value);
  const count = value / size;
  return `${value} (${count} ${name}${unit === 'milliseconds' && count !== 1 ? 's' : ''})`;
}

function rangeInWords({ min, max, unit }: Range): string {
  return `From ${inWords(min, unit)} to ${inWords(max, unit)}`;
}

function checkedNumber(min: number, max: number) {
  const range = max === Number.MAX_SAFE_INTEGER ? 'above 0' : `from ${min} to ${max}`;
  const error = (issue: { input?: unknown }) =>
    `must be a whole number ${range}, not ${printed(issue.input)}`;
  // Without `abort` a number beyond 2^53 would be complained of twice.
  return z.int({ error, abort: true }).min(min, { error }).max(max, { error });
}

/** Only for fields that hold no secret. */
function printed(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 40));
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeName(value);
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return value === undefined ? 'missing' : `a value of type ${typeof value}`;
}
