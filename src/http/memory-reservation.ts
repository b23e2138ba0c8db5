/**
 * The memory that one event may use: received bytes, decoded text, the escaped payload, the answer, the kept context. Bytes are
 * reserved before they are made, so a body that expands is paid for by the event that sent it.
 */
export interface MemoryReservation {
  /**
   * Reserves more bytes, before they are made.
   * @throws PingAuthError `server_overloaded` when the process has no memory left for them; nothing is reserved then
   */
  grow(bytes: number): void;
  /** Gives back bytes that are no longer held, for example the encoded body once it is decoded. */
  shrink(bytes: number): void;
}

/** For tools, which handle one message at a time. */
export const UNLIMITED_MEMORY: MemoryReservation = { grow() {}, shrink() {} };
