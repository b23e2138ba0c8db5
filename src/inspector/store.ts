import { type Exchange, Exchanges, withShadow } from '../recordings/exchanges.js';
import type { LogLine } from '../recordings/log-lines.js';
import { readLogRecord } from '../recordings/log-record.js';

export interface StoreLimits {
  /** Exchanges that are kept. */
  readonly exchanges: number;
  /** Bytes of log lines that are kept; a JavaScript string takes about as much memory again. */
  readonly bytes: number;
}

interface Kept {
  readonly exchange: Exchange;
  readonly revision: number;
  readonly bytes: number;
}

export interface Problem {
  readonly line: number;
  readonly problem: string;
}

const KEPT_PROBLEMS = 50;

/** The latest exchanges of a log. What is older than the limits allow is dropped, whatever the log holds. */
export class ExchangeStore {
  readonly limits: StoreLimits;
  /** In the order of their last change. */
  readonly #kept = new Map<number, Kept>();
  readonly #exchanges: Exchanges;
  /** The latest exchange of each request id, of those that are kept. */
  readonly #byRequest = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #bytes = 0;
  #revision = 0;
  #lines = 0;
  #skipped = 0;
  #firstKey = 1;
  #isOurs = false;
  #broken = 0;
  #problems: Problem[] = [];

  constructor(limits: StoreLimits) {
    this.limits = limits;
    this.#exchanges = new Exchanges(limits.exchanges);
  }

  add({ number, text }: LogLine): void {
    this.#lines += 1;
    const record = readLogRecord(text);
    if (record.kind === 'other') {
      if (record.isOurs) this.#isOurs = true;
      return;
    }
    if (record.kind !== 'broken') this.#isOurs = true;
    if (record.kind === 'broken') {
      this.#broken += 1;
      this.#problems = [
        ...this.#problems.slice(1 - KEPT_PROBLEMS),
        { line: number, problem: record.problem },
      ];
      return;
    }
    let exchange: Exchange;
    if (record.kind === 'shadow' || record.kind === 'shadow_call') {
      const kept = this.#kept.get(this.#byRequest.get(record.request_id ?? '') ?? 0);
      if (kept === undefined) return;
      exchange = withShadow(kept.exchange, number, record);
    } else exchange = this.#exchanges.add(number, record);
    const { key, requestId } = exchange;
    if (requestId !== undefined) this.#byRequest.set(requestId, key);
    const before = this.#kept.get(key);
    const bytes = (text?.length ?? 0) + (before?.bytes ?? 0);
    this.#kept.delete(exchange.key);
    this.#revision += 1;
    this.#kept.set(exchange.key, { exchange, revision: this.#revision, bytes });
    this.#bytes += text?.length ?? 0;
    this.#drop();
  }

  /** Lines at the start of a long log that are not read. */
  skip(lines: number): void {
    this.#lines += lines;
    this.#skipped += lines;
  }

  /** Whether there was a line that a plugin server of ours wrote. */
  get isOurs(): boolean {
    return this.#isOurs;
  }

  /** After lines were added, once for all of them. */
  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  /** @returns a function that ends it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get(key: number): Exchange | undefined {
    return this.#kept.get(key)?.exchange;
  }

  /** What has changed since `revision`, oldest change first, `limit` at most. */
  since(revision: number, limit: number): { readonly exchanges: Exchange[]; readonly revision: number } {
    const exchanges: Exchange[] = [];
    let last = revision;
    for (const kept of this.#kept.values()) {
      if (kept.revision <= revision) continue;
      if (exchanges.length === limit) break;
      exchanges.push(kept.exchange);
      last = kept.revision;
    }
    return { exchanges, revision: last };
  }

  get counts() {
    return {
      lines: this.#lines,
      skipped: this.#skipped,
      exchanges: this.#kept.size,
      limit: this.limits.exchanges,
      broken: this.#broken,
      problems: this.#problems,
    };
  }

  /** Every kept exchange has this key or a later one. */
  get firstKey(): number {
    if (this.#kept.size === 0) return 0;
    while (!this.#kept.has(this.#firstKey)) this.#firstKey += 1;
    return this.#firstKey;
  }

  #drop(): void {
    for (const [key, { bytes, exchange }] of this.#kept) {
      if (this.#kept.size <= this.limits.exchanges && this.#bytes <= this.limits.bytes) return;
      // The latest one stays, however big it is: its line was within the limit of a line.
      if (this.#kept.size === 1) return;
      this.#kept.delete(key);
      const { requestId = '' } = exchange;
      if (this.#byRequest.get(requestId) === key) this.#byRequest.delete(requestId);
      this.#bytes -= bytes;
    }
  }
}
