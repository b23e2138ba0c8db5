/** One header line; name and value hold one character per byte (latin1), as nginx keeps them. */
export interface HeaderLine {
  name: string;
  value: string;
}

/**
 * nginx's list of header lines. Setting a header that is there already changes the first line in place, keeps the
 * spelling it had and drops the others; further values are appended with the new spelling.
 */
export class HeaderLines {
  readonly lines: HeaderLine[];

  constructor(lines: readonly HeaderLine[] = []) {
    this.lines = lines.map((line) => ({ ...line }));
  }

  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.lines.find((line) => line.name.toLowerCase() === wanted)?.value;
  }

  all(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.lines.filter((line) => line.name.toLowerCase() === wanted).map((line) => line.value);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  add(name: string, value: string): void {
    this.lines.push({ name, value });
  }

  /** An empty list removes the header. `respell` gives the first line the new spelling (nginx's built-in headers). */
  set(name: string, values: readonly string[], respell = false): void {
    const wanted = name.toLowerCase();
    const [first, ...rest] = values;
    const at = this.lines.findIndex((line) => line.name.toLowerCase() === wanted);
    if (first === undefined || at < 0) {
      this.remove(name);
      for (const value of values) this.add(name, value);
      return;
    }
    const kept = this.lines[at];
    if (kept === undefined) return;
    for (let i = this.lines.length - 1; i > at; i--) {
      if (this.lines[i]?.name.toLowerCase() === wanted) this.lines.splice(i, 1);
    }
    kept.value = first;
    if (respell) kept.name = name;
    for (const value of rest) this.add(name, value);
  }

  remove(name: string): boolean {
    const wanted = name.toLowerCase();
    const before = this.lines.length;
    for (let i = this.lines.length - 1; i >= 0; i--) {
      if (this.lines[i]?.name.toLowerCase() === wanted) this.lines.splice(i, 1);
    }
    return this.lines.length < before;
  }

  /** Lower-case name → value, or the list of values when there are several; at most `max` lines are looked at. */
  table(max: number): Record<string, string | string[]> {
    const table: Record<string, string | string[]> = Object.create(null);
    for (const { name, value } of this.lines.slice(0, max)) {
      const key = name.toLowerCase();
      const known = table[key];
      if (known === undefined) table[key] = value;
      else if (Array.isArray(known)) known.push(value);
      else table[key] = [known, value];
    }
    return table;
  }
}
