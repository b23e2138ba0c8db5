import type { MemoryReservation } from '../http/memory-reservation.js';
import { overloaded } from '../kong/call-errors.js';
import { SidebandRuntime } from '../sideband/sideband-runtime.js';

const MEMORY_BYTES = 32 * 1024 * 1024;
const QUESTIONS = 256;

/**
 * What all shadow policies of a process may take together: connections and circuit breakers that are not those of the deciding
 * providers, and a memory budget that is not the one of live messages. Strict: what does not fit is dropped.
 */
export class ShadowLimits {
  readonly sideband: SidebandRuntime;
  readonly #bytes: number;
  readonly #questions: number;
  #held = 0;
  #open = 0;

  constructor(sideband = new SidebandRuntime(), bytes = MEMORY_BYTES, questions = QUESTIONS) {
    this.sideband = sideband;
    this.#bytes = bytes;
    this.#questions = questions;
  }

  /** Bytes that shadow questions hold. */
  get held(): number {
    return this.#held;
  }

  /** Questions that are being asked or wait for it. */
  get open(): number {
    return this.#open;
  }

  /** Memory for one question; undefined when there is none, or too many are open. Release it. */
  enter(bytes: number): ShadowMemory | undefined {
    if (this.#open >= this.#questions || !this.reserve(bytes)) return undefined;
    this.#open++;
    return new ShadowMemory(this, bytes);
  }

  reserve(bytes: number): boolean {
    if (!(bytes >= 0) || this.#held + bytes > this.#bytes) return false;
    this.#held += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#held -= bytes;
  }

  leave(bytes: number): void {
    this.#held -= bytes;
    this.#open--;
  }
}

export class ShadowMemory implements MemoryReservation {
  readonly #limits: ShadowLimits;
  #bytes: number;
  #isReleased = false;

  constructor(limits: ShadowLimits, bytes: number) {
    this.#limits = limits;
    this.#bytes = bytes;
  }

  grow(bytes: number): void {
    // An answer may still arrive when its question has been dropped.
    if (this.#isReleased || !this.#limits.reserve(bytes))
      throw overloaded('shadow policies have no memory left');
    this.#bytes += bytes;
  }

  shrink(bytes: number): void {
    const given = Math.min(bytes, this.#bytes);
    this.#bytes -= given;
    this.#limits.giveBack(given);
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#limits.leave(this.#bytes);
    this.#bytes = 0;
  }
}
