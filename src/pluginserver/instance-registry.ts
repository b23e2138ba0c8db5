import { randomInt } from 'node:crypto';
import type { ServerLogger } from './options.js';

/** A plugin configuration that Kong started, as all processes know it. */
export interface InstanceRecord {
  readonly id: number;
  /** The plugin's name. */
  readonly name: string;
  /** JSON text as Kong sent it: may hold secrets, never logged. */
  readonly config: string;
  /** Seconds since 1970. */
  readonly startedAt: number;
}

/** Decides which instances there are: the registry of this process, or that of its parent. */
export interface InstanceDirectory {
  /** When it resolves, every process of the server has been told of the instance. */
  start(name: string, config: string): InstanceRecord | Promise<InstanceRecord>;
  /** When it resolves, this process has been told of the instance, if there is one. */
  find(id: number): void | Promise<void>;
  close(id: number): void;
  /** Drops the instance everywhere, if its plugin may have it started again. */
  claimRestart(id: number): boolean | Promise<boolean>;
}

/** Is told which instances come and go. */
export interface InstanceListener {
  add(record: InstanceRecord): void;
  remove(id: number): void;
}

export interface RegistryOptions {
  /** An instance that no event used for so long is dropped, milliseconds. */
  readonly idleMs: number;
  readonly logger?: ServerLogger;
  /** Milliseconds of a clock that never jumps. For tests. */
  readonly now?: () => number;
  /** For tests. */
  readonly randomId?: () => number;
}

interface Entry {
  readonly record: InstanceRecord;
  /** The configuration behind the instance, the same for every Kong worker. */
  readonly key: string;
  /** Counts starts. */
  readonly generation: number;
  usedAt: number;
}

const MAX_INT32 = 0x7fffffff;
/** How long the same configuration waits for its next restart at the plugin's wish. */
const RESTART_INTERVAL_MS = 30_000;

/**
 * Which instances exist. Ids are random: Kong caches them and does not notice that a server was restarted, so an id of an
 * earlier life must not mean another configuration.
 */
export class InstanceRegistry implements InstanceDirectory {
  readonly #options: RegistryOptions;
  readonly #listener: InstanceListener;
  readonly #now: () => number;
  readonly #entries = new Map<number, Entry>();
  readonly #restarts = new Map<string, { at: number; generation: number }>();
  #generation = 0;

  constructor(options: RegistryOptions, listener: InstanceListener = { add() {}, remove() {} }) {
    this.#options = options;
    this.#listener = listener;
    this.#now = options.now ?? (() => performance.now());
  }

  start(name: string, config: string): InstanceRecord {
    const record = { id: this.#newId(), name, config, startedAt: Math.floor(Date.now() / 1000) };
    const key = configurationKey(name, config);
    this.#entries.set(record.id, { record, key, generation: ++this.#generation, usedAt: this.#now() });
    this.#listener.add(record);
    return record;
  }

  get(id: number): InstanceRecord | undefined {
    return this.#entries.get(id)?.record;
  }

  /** The listener knows all instances already. */
  find(): void {}

  records(): InstanceRecord[] {
    return [...this.#entries.values()].map((entry) => entry.record);
  }

  /** An event used the instance. */
  touch(id: number): void {
    const entry = this.#entries.get(id);
    if (entry !== undefined) entry.usedAt = this.#now();
  }

  close(id: number): void {
    this.#entries.delete(id);
    this.#listener.remove(id);
  }

  /**
   * Drops an instance so that Kong starts it again. False when it is unknown (dropped before) or when its configuration was
   * restarted a short while ago: Kong repeats the event at once and without limit, so the limit has to be here.
   */
  claimRestart(id: number): boolean {
    const entry = this.#entries.get(id);
    if (entry === undefined) return false;
    const last = this.#restarts.get(entry.key);
    const mayRestart = last === undefined || this.#now() - last.at >= RESTART_INTERVAL_MS;
    if (mayRestart) this.#restarts.set(entry.key, { at: this.#now(), generation: this.#generation });
    // Other Kong workers hold instances of their own, started before: each of those may be restarted as well, once.
    else if (entry.generation > last.generation) return false;
    this.close(id);
    return true;
  }

  /** Drops the instances that were not used for long, and returns their ids. Kong does not say when it forgets one. */
  expire(): number[] {
    const before = this.#now() - this.#options.idleMs;
    const expired = [...this.#entries.values()].filter((entry) => entry.usedAt < before);
    for (const { record } of expired) this.close(record.id);
    const known = new Set([...this.#entries.values()].map((entry) => entry.key));
    for (const [key, { at }] of this.#restarts) {
      if (this.#now() - at > RESTART_INTERVAL_MS && !known.has(key)) this.#restarts.delete(key);
    }
    const fields = { event: 'instances_expired', count: expired.length };
    if (expired.length > 0) this.#options.logger?.info(fields, 'instances without use were dropped');
    return expired.map(({ record }) => record.id);
  }

  #newId(): number {
    const random = this.#options.randomId ?? (() => randomInt(1, MAX_INT32));
    let id = random();
    while (this.#entries.has(id)) id = random();
    return id;
  }
}

/** What Kong calls the configuration; equal for all Kong workers, and kept when its content changes. */
function configurationKey(name: string, config: string): string {
  try {
    const { __key__: key, __plugin_id: id } = JSON.parse(config);
    if (typeof key === 'string') return key;
    if (typeof id === 'string') return `${name}:${id}`;
  } catch {
    // An unreadable configuration is refused when the plugin is built; here it only needs a key.
  }
  return `${name}:${config}`;
}

/** Kong drops the id of a closed connection at once; what is still on its way with that id arrives within this time. */
const WINDOW_MS = 10_000;
const MAX_IDS = 10_000;
/** What Kong sends for "none": an integer that is absent. */
const NO_ID = 0;
const MAX_WITHOUT_ID = 500;

/**
 * Whether a connection may be closed because Kong named an instance that is unknown here. Kong answers a close by starting
 * the instance again and repeating the event, at once and without limit; so an id earns closes only for a short while after
 * it was first seen. After that it is refused like any other failure.
 *
 * Kong also names none at all: while two of its requests start instances for an old and a new configuration, one takes the
 * other's id away (seen on a running Kong whose configuration changed under load). That comes and goes, so it is counted again
 * in each window.
 */
export class UnknownInstances {
  readonly #firstSeen = new Map<number, number>();
  readonly #now: () => number;
  #windowStart = Number.NEGATIVE_INFINITY;
  #withoutId = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  mayClose(id: number): boolean {
    const now = this.#now();
    if (id === NO_ID) return this.#mayCloseWithoutId(now);
    const first = this.#firstSeen.get(id);
    if (first !== undefined) return now - first < WINDOW_MS;
    if (this.#firstSeen.size >= MAX_IDS) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(id, now);
    return true;
  }

  #mayCloseWithoutId(now: number): boolean {
    if (now - this.#windowStart >= WINDOW_MS) {
      this.#windowStart = now;
      this.#withoutId = 0;
    }
    return this.#withoutId++ < MAX_WITHOUT_ID;
  }
}
