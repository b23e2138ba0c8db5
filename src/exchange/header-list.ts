/** One header as it stands on the wire: the name in whatever case, one value. */
export type HeaderField = readonly [name: string, value: string];

/**
 * Immutable, ordered, multi-valued HTTP headers with case-insensitive names.
 *
 * Names are kept in lower case: Kong hands them over that way, and the policy provider expects it. A value may hold
 * bytes that are not UTF-8; such a byte 0xNN stands in the string as the lone surrogate U+DCNN, so that it survives the
 * way through without loss (see text.ts).
 */
export class HeaderList implements Iterable<HeaderField> {
  static readonly empty = new HeaderList([]);
  readonly #fields: readonly HeaderField[];
  /** Made when somebody first asks for a name: every request is asked for a dozen. */
  #byName: ReadonlyMap<string, readonly string[]> | undefined;

  private constructor(fields: readonly HeaderField[]) {
    this.#fields = fields;
  }

  static from(fields: Iterable<HeaderField>): HeaderList {
    const list: HeaderField[] = [];
    for (const [name, value] of fields) list.push([name.toLowerCase(), value]);
    return new HeaderList(list);
  }

  /** From the maps that Kong's `get_headers` returns: a string for one value, a list for several. */
  static fromMap(map: Readonly<Record<string, string | readonly string[]>>): HeaderList {
    const list: HeaderField[] = [];
    for (const [name, value] of Object.entries(map)) {
      if (typeof value === 'string') list.push([name.toLowerCase(), value]);
      else for (const one of value) list.push([name.toLowerCase(), one]);
    }
    return new HeaderList(list);
  }

  /** How many fields there are, a repeated header counted as often as it occurs. */
  get size(): number {
    return this.#fields.length;
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.#fields[Symbol.iterator]();
  }

  /** Distinct names in order of first occurrence. */
  names(): string[] {
    return [...this.toMap().keys()];
  }

  has(name: string): boolean {
    return this.toMap().has(name.toLowerCase());
  }

  /** The first value, or undefined. */
  get(name: string): string | undefined {
    return this.toMap().get(name.toLowerCase())?.[0];
  }

  getAll(name: string): readonly string[] {
    return this.toMap().get(name.toLowerCase()) ?? [];
  }

  filter(keep: (name: string, value: string) => boolean): HeaderList {
    return new HeaderList(this.#fields.filter(([name, value]) => keep(name, value)));
  }

  /** As Kong's `set_headers` wants it: every name once, all its values in order. */
  toMap(): ReadonlyMap<string, readonly string[]> {
    this.#byName ??= groupByName(this.#fields);
    return this.#byName;
  }
}

function groupByName(fields: readonly HeaderField[]): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const values = map.get(name);
    if (values) values.push(value);
    else map.set(name, [value]);
  }
  return map;
}
