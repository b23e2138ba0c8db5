import type { Socket } from 'node:net';

/** Up to here several pieces are copied into one buffer; larger ones go to the kernel as they are (writev). */
const COPY_BYTES = 64 * 1024;

/**
 * Collects what is sent during one turn of the event loop and writes it with one system call: calls that a plugin makes
 * together cost Kong one wake-up.
 */
export class Outbox {
  readonly #socket: Socket;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  readonly add = (pieces: readonly Uint8Array[]): void => {
    for (const piece of pieces) {
      this.#pieces.push(piece);
      this.#bytes += piece.length;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    // The inner tick runs when no promise callback is left, so calls made by later callbacks of this turn join in.
    process.nextTick(() => queueMicrotask(() => process.nextTick(() => this.flush())));
  };

  flush(): void {
    this.#scheduled = false;
    const pieces = this.#pieces;
    const bytes = this.#bytes;
    this.#pieces = [];
    this.#bytes = 0;
    const [first] = pieces;
    if (first === undefined || !this.#socket.writable) return;
    if (pieces.length === 1) this.#socket.write(first);
    else if (bytes <= COPY_BYTES) this.#socket.write(Buffer.concat(pieces, bytes));
    else {
      this.#socket.cork();
      for (const piece of pieces) this.#socket.write(piece);
      this.#socket.uncork();
    }
  }
}
