import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import type { MemoryReservation } from '../../src/http/memory-reservation.js';

/** A reservation that tells what is reserved, and what was reserved at most. */
export class CountingMemory implements MemoryReservation {
  held = 0;
  most = 0;

  constructor(readonly limit = Number.POSITIVE_INFINITY) {}

  grow(bytes: number): void {
    if (!(bytes >= 0) || this.held + bytes > this.limit) throw new PingAuthError('server_overloaded');
    this.held += bytes;
    this.most = Math.max(this.most, this.held);
  }

  shrink(bytes: number): void {
    if (!(bytes >= 0) || bytes > this.held) throw new Error(`${bytes} bytes of ${this.held} given back`);
    this.held -= bytes;
  }
}
