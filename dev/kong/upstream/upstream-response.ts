import type { HeaderLine } from '../header-lines.js';

/** The upstream's answer, its body not read yet. */
export interface UpstreamResponse {
  readonly status: number;
  /** What stood behind the protocol version: `200 OK`; undefined for an answer without a head (HTTP/0.9). */
  readonly statusText: string | undefined;
  readonly headers: readonly HeaderLine[];
  /** Ends with BrokenBody or ReadTimeout when the upstream does not finish it. */
  readonly body: AsyncIterable<Buffer>;
}
