import * as z from 'zod';
import type { KongField, KongPattern } from './kong-field.js';

/**
 * One configuration field as data: what zod checks, what Kong checks, what the admin reads. Everything else (the
 * TypeScript type, Kong's schema, kong/schema.lua, the table in the docs) is derived from it.
 */
export interface Field<Z extends z.ZodType = z.ZodType> {
  readonly zod: Z;
  readonly kong: KongField & { readonly description: string };
}

/** Says what is wrong with a value and what to do, or undefined when it is right. Never repeats a secret. */
export type TextCheck = (value: string) => string | undefined;

interface TextOptions {
  readonly description: string;
  readonly check: TextCheck;
  readonly match_all?: readonly KongPattern[];
  readonly match_none?: readonly KongPattern[];
  readonly referenceable?: boolean;
  readonly encrypted?: boolean;
}

export function requiredText(options: TextOptions) {
  const { check, ...kong } = options;
  return {
    zod: checkedText(check),
    kong: { type: 'string', required: true, ...kong },
  } as const satisfies Field;
}

export function optionalText(options: TextOptions) {
  const { check, ...kong } = options;
  return { zod: checkedText(check).optional(), kong: { type: 'string', ...kong } } as const satisfies Field;
}

interface NumberOptions<D> {
  readonly description: string;
  readonly min: number;
  readonly max: number;
  readonly default: D;
}

/** A whole number from `min` to `max`. */
export function wholeNumber(options: NumberOptions<number>) {
  const { description, min, max } = options;
  return {
    zod: checkedNumber(min, max).default(options.default),
    kong: { type: 'integer', between: [min, max], default: options.default, description },
  } as const satisfies Field;
}

export function optionalWholeNumber(options: Omit<NumberOptions<never>, 'default'>) {
  const { description, min, max } = options;
  return {
    zod: checkedNumber(min, max).optional(),
    kong: { type: 'integer', between: [min, max], description },
  } as const satisfies Field;
}

/** A whole number of milliseconds above 0 without an upper bound, as the existing plugin has it. */
export function positiveMilliseconds(options: { description: string; default: number }) {
  return {
    zod: checkedNumber(1, Number.MAX_SAFE_INTEGER).default(options.default),
    kong: { type: 'integer', gt: 0, default: options.default, description: options.description },
  } as const satisfies Field;
}

export function flag(options: { description: string; default: boolean }) {
  return {
    zod: z.boolean({ error: 'must be true or false' }).default(options.default),
    kong: { type: 'boolean', default: options.default, description: options.description },
  } as const satisfies Field;
}

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
    kong: { type: 'string', one_of: values, default: options.default as string, description },
  } as const satisfies Field;
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
