const HEADER_BYTES = 4;

/** A payload with its length before it, as it stands on the wire. */
export function frame(payload: Uint8Array | string): Buffer {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
  const framed = Buffer.allocUnsafe(HEADER_BYTES + bytes.length);
  framed.writeUInt32LE(bytes.length, 0);
  framed.set(bytes, HEADER_BYTES);
  return framed;
}

/** Cuts what a socket brings into frames. */
export class FrameCutter {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes without which there is no further frame. */
  #needed = HEADER_BYTES;

  /** @param take gets every payload that is whole now: a view, valid as long as it is referenced. */
  push(chunk: Buffer, take: (payload: Buffer) => void): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // A large frame is joined once, when all of it is there.
    if (this.#bytes < this.#needed) return;
    const data = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#chunks = [];
    let at = 0;
    for (;;) {
      const left = data.length - at;
      this.#needed = HEADER_BYTES + (left < HEADER_BYTES ? 0 : data.readUInt32LE(at));
      if (left < this.#needed) break;
      const payload = data.subarray(at + HEADER_BYTES, at + this.#needed);
      at += this.#needed;
      take(payload);
    }
    this.#bytes = data.length - at;
    if (this.#bytes > 0) this.#chunks.push(data.subarray(at));
  }
}
