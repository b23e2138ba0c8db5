/** Kong drops the id of a closed connection at once; what is still on its way with that id arrives within this time. */
const WINDOW_MS = 10_000;
const MAX_IDS = 10_000;

/**
 * Whether a connection may be closed because Kong named an instance that is unknown here. Kong answers a close by starting
 * the instance anew and repeating the event, at once and without limit; so an id earns closes only for a short while after
 * it was first seen. After that it is refused like any other failure.
 */
export class UnknownInstances {
  readonly #firstSeen = new Map<number, number>();
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  mayClose(id: number): boolean {
    const now = this.#now();
    const first = this.#firstSeen.get(id);
    if (first !== undefined) return now - first < WINDOW_MS;
    if (this.#firstSeen.size >= MAX_IDS) {
      const [oldest] = this.#firstSeen.keys();
      if (oldest !== undefined) this.#firstSeen.delete(oldest);
    }
    this.#firstSeen.set(id, now);
    return true;
  }
}
