/** One header as it stands on the wire: the name in whatever case, one value. */
export type HeaderField = readonly [name: string, value: string];

const NO_VALUES: readonly string[] = [];

/**
 * Immutable, ordered, multi-valued HTTP headers with case-insensitive names.
 *
 * Names are kept in lower case: Kong hands them over that way, and the policy provider expects it. A value may hold
 * bytes that are not UTF-8; such a byte 0xNN stands in the string as the lone surrogate U+DCNN, so that it survives the
 * way through without loss (see text.ts).
 */
export class HeaderList implements Iterable<HeaderField> {
  static readonly empty = new HeaderList([]);
  /** In order; names in lower case. */
  readonly fields: readonly HeaderField[];

  private constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  static from(fields: Iterable<HeaderField>): HeaderList {
    const list: HeaderField[] = [];
    for (const [name, value] of fields) list.push([name.toLowerCase(), value]);
    return new HeaderList(list);
  }

  /**
   * From the maps that Kong's `get_headers` returns: a string for one value, a list for several.
   * @param unexpected makes the error for a value that is neither
   */
  static fromMap(map: object, unexpected: (name: string, value: unknown) => Error): HeaderList {
    const list: HeaderField[] = [];
    for (const key of Object.keys(map)) {
      const name = key.toLowerCase();
      const value: unknown = (map as Readonly<Record<string, unknown>>)[key];
      if (typeof value === 'string') {
        list.push([name, value]);
        continue;
      }
      if (!Array.isArray(value)) throw unexpected(key, value);
      for (const one of value as readonly unknown[]) {
        if (typeof one !== 'string') throw unexpected(key, value);
        list.push([name, one]);
      }
    }
    return new HeaderList(list);
  }

  /** How many fields there are, a repeated header counted as often as it occurs. */
  get size(): number {
    return this.fields.length;
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.fields[Symbol.iterator]();
  }

  /** Distinct names in order of first occurrence. */
  names(): string[] {
    return [...new Set(this.fields.map(([name]) => name))];
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /** The first value, or undefined. A message has a score of headers: walking them is quicker than an index. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    for (const field of this.fields) if (field[0] === wanted) return field[1];
    return undefined;
  }

  getAll(name: string): readonly string[] {
    const wanted = name.toLowerCase();
    let values: string[] | undefined;
    for (const [candidate, value] of this.fields) {
      if (candidate !== wanted) continue;
      if (values === undefined) values = [value];
      else values.push(value);
    }
    return values ?? NO_VALUES;
  }

  filter(keep: (name: string, value: string) => boolean): HeaderList {
    return new HeaderList(this.fields.filter(([name, value]) => keep(name, value)));
  }

  /** As Kong takes headers: every name once, all its values in order. */
  toRecord(): HeaderChanges {
    const record: Record<string, string | string[]> = Object.create(null);
    for (const [name, value] of this.fields) {
      const before = record[name];
      if (before === undefined) record[name] = value;
      else if (typeof before === 'string') record[name] = [before, value];
      else before.push(value);
    }
    return record;
  }
}

/** What Kong takes: all values of a name together; an empty list takes the header away. Names in lower case. */
export type HeaderChanges = Readonly<Record<string, string | readonly string[]>>;

export const NO_HEADER_CHANGES: HeaderChanges = Object.freeze(Object.create(null));

/** To be filled. Without a prototype, since `__proto__` can be the name of a header. */
export function headerChanges(from?: HeaderChanges): Record<string, string | readonly string[]> {
  return Object.assign(Object.create(null), from);
}

export function valuesOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? NO_VALUES : typeof value === 'string' ? [value] : value;
}

/** A single value as a string: it is what Kong itself would hold, and the shorter message. */
export function oneOrMany(values: readonly string[]): string | readonly string[] {
  const [only] = values;
  return only !== undefined && values.length === 1 ? only : values;
}

/** Whether a change takes the header away. */
export function isRemoval(value: string | readonly string[] | undefined): boolean {
  return typeof value === 'object' && value.length === 0;
}

export function isEmpty(changes: HeaderChanges): boolean {
  for (const _ in changes) return false;
  return true;
}
