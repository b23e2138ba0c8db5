const MAGIC = 0xfd2fb528;
/** Length of a field by the two bits that stand for it. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];

/**
 * Whether the bytes are one whole zstd frame with nothing behind it (RFC 8878, section 3.1.1), going by the lengths it
 * announces. Several frames, and skippable ones, are none: readers differ about them.
 */
export function isZstdFrame(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 6 || view.getUint32(0, true) !== MAGIC) return false;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const sizeBytes = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0;
  let at = 5 + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0);
  // A frame in a single segment has no window, but always its size.
  at += isSingleSegment ? Math.max(sizeBytes, 1) : 1 + sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return false;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    isLast = (header & 1) !== 0;
    const type = (header >> 1) & 3;
    if (type === 3) return false;
    // A run of one byte stands there once, whatever its length.
    at += 3 + (type === 1 ? 1 : header >> 3);
  }
  return at + (hasChecksum ? 4 : 0) === bytes.length;
}
