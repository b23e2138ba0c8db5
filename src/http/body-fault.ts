/** Why a body cannot be shown to the policy although its receiver may well read something in it. */
export type FaultReason =
  | 'too_large'
  | 'unknown_encoding'
  | 'broken_encoding'
  | 'ambiguous_encoding'
  | 'unknown_charset'
  | 'wrong_charset_bytes'
  | 'ambiguous_charset'
  | 'ambiguous_content_type';

/** Thrown while a body is decoded; `decodeBody` turns it into an error response or leaves the body out. */
export class BodyFault extends Error {
  override readonly name = 'BodyFault';
  readonly reason: FaultReason;
  /** For the log; nothing of the body's content. */
  readonly detail: string;

  constructor(reason: FaultReason, detail: string) {
    super(detail);
    this.reason = reason;
    this.detail = detail;
  }
}
