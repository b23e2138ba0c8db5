import * as z from 'zod';
import { INCOMPLETE_REFERENCE, REFERENCE_WITHOUT_BRACES, referenceProblem } from './formats.js';
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

/** Says what is wrong with a value and what to do, or undefined when it is right. Never repeats a secret. */
export type TextCheck = (value: string) => string | undefined;

interface TextOptions {
  readonly description: string;
  readonly check: TextCheck;
  /** Brings the value into its normal form. */
  readonly prepare?: (value: string) => string;
  readonly match_all?: readonly KongPattern[];
  readonly match_none?: readonly KongPattern[];
  /** The field takes vault references; the name of one for the description, such as `ping-auth-secret`. */
  readonly reference?: string;
  readonly encrypted?: boolean;
}

export function requiredText(options: TextOptions) {
  return {
    zod: preparedText(options),
    kong: { ...textField(options), required: true },
    text: options.description,
  } as const satisfies Field;
}

/** Required, so that Kong Manager shows it among the few fields that are visible at once, with its default filled in. */
export function requiredTextWithDefault(options: TextOptions & { readonly default: string }) {
  return {
    zod: preparedText(options).default(options.default),
    kong: { ...textField(options), required: true, default: options.default },
    text: options.description,
  } as const satisfies Field;
}

export function optionalText(options: TextOptions) {
  return {
    zod: preparedText(options).optional(),
    kong: textField(options),
    text: options.description,
  } as const satisfies Field;
}

function textField({ check: _, prepare: __, reference, description, ...kong }: TextOptions) {
  const named = reference === undefined ? [] : [referenceSentence(reference)];
  return {
    type: 'string' as const,
    ...kong,
    ...(reference !== undefined && referenceable(kong.match_none)),
    description: paragraphs(description, ...named),
  };
}

/** A field, or elements of one, that may be vault references, and nothing that looks like a broken one. */
export function referenceable(others: readonly KongPattern[] = []) {
  return {
    referenceable: true,
    match_none: [INCOMPLETE_REFERENCE, REFERENCE_WITHOUT_BRACES, ...others],
  } as const;
}

/** Kong's environment vault reads a variable in upper case with underscores. */
function referenceSentence(name: string): string {
  const variable = name.replaceAll('-', '_').toUpperCase();
  return `Can be a vault reference: \`{vault://env/${name}}\` is the environment variable \`${variable}\` of Kong.`;
}

/** What a number counts, for its range in words. */
export type Unit = 'milliseconds' | 'bytes';

interface NumberOptions<D> {
  readonly description: string;
  readonly min: number;
  readonly max: number;
  readonly default: D;
  readonly unit?: Unit;
}

/** A whole number from `min` to `max`. */
export function wholeNumber(options: NumberOptions<number>) {
  const { description, min, max, unit } = options;
  const range = `From ${inWords(min, unit)} to ${inWords(max, unit)}; empty: ${inWords(options.default, unit)}.`;
  return {
    zod: checkedNumber(min, max).default(options.default),
    kong: {
      type: 'integer',
      between: [min, max],
      default: options.default,
      description: paragraphs(description, range),
    },
    text: description,
  } as const satisfies Field;
}

/** @param options its description says what an empty field means */
export function optionalWholeNumber(options: Omit<NumberOptions<never>, 'default'>) {
  const { description, min, max, unit } = options;
  const range = `From ${inWords(min, unit)} to ${inWords(max, unit)}.`;
  return {
    zod: checkedNumber(min, max).optional(),
    kong: { type: 'integer', between: [min, max], description: paragraphs(description, range) },
    text: description,
  } as const satisfies Field;
}

/** A whole number of milliseconds above 0 without an upper bound, as the existing plugin has it. */
export function positiveMilliseconds(options: { description: string; default: number }) {
  const { description } = options;
  const range = `Above 0; empty: ${inWords(options.default, 'milliseconds')}.`;
  return {
    zod: checkedNumber(1, Number.MAX_SAFE_INTEGER).default(options.default),
    kong: { type: 'integer', gt: 0, default: options.default, description: paragraphs(description, range) },
    text: description,
  } as const satisfies Field;
}

export function flag(options: { description: string; default: boolean }) {
  return {
    zod: z.boolean({ error: 'must be true or false' }).default(options.default),
    kong: { type: 'boolean', default: options.default, description: options.description },
  } as const satisfies Field;
}

/** @param options its description has a paragraph for each value: `**omit**: …` */
export function choice<const V extends readonly [string, ...string[]]>(options: {
  readonly description: string;
  readonly values: V;
  readonly default: V[number];
}) {
  const { description, values } = options;
  return {
    zod: z
      .enum(values, { error: (issue) => `must be one of ${values.join(', ')}, not ${printed(issue.input)}` })
      .default(() => options.default),
    kong: {
      type: 'string',
      one_of: values,
      default: options.default as string,
      description: paragraphs(description, `Empty: ${options.default}.`),
    },
    text: description,
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

/** A list of strings, empty by default. `prepare` brings every entry into its normal form. */
export function textList(options: {
  readonly description: string;
  readonly check: TextCheck;
  readonly element: Omit<KongField, 'type'>;
  readonly len_max?: number;
  readonly prepare?: (value: string) => string;
}) {
  const { description, check, element, prepare = (value) => value } = options;
  const max = options.len_max ?? 1000;
  return {
    zod: z
      .array(checkedText(check).transform(prepare), { error: 'must be a list of strings' })
      .max(max, { error: `must have at most ${max} entries` })
      .readonly()
      .default([]),
    kong: {
      type: 'array',
      elements: { type: 'string', ...element },
      ...(options.len_max === undefined ? {} : { len_max: max }),
      default: [] as readonly string[],
      description,
    },
  } as const satisfies Field;
}

function preparedText({ check, prepare, reference }: TextOptions) {
  return checkedText(
    (value) => (reference === undefined ? undefined : referenceProblem(value)) ?? check(value),
  ).transform((value) => prepare?.(value) ?? value);
}

function checkedText(check: TextCheck) {
  return z.string({ error: (issue) => `must be a string, not ${typeName(issue.input)}` }).check((context) => {
    const problem = context.value === '' ? 'must not be empty' : check(context.value);
    if (problem !== undefined)
      context.issues.push({ code: 'custom', message: problem, input: undefined, continue: false });
  });
}

function checkedNumber(min: number, max: number) {
  const range = max === Number.MAX_SAFE_INTEGER ? 'above 0' : `from ${min} to ${max}`;
  const error = (issue: { input?: unknown }) =>
    `must be a whole number ${range}, not ${printed(issue.input)}`;
  return z
    .number({ error })
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error });
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
