/** The event is over (Kong closed the connection, an exit was sent, or its time was up): no call goes out any more. */
export class EventOverError extends Error {
  override readonly name = 'EventOverError';
  readonly code = 'ERR_EVENT_OVER';
}

export type PdkCallErrorCode =
  /** Kong offers no such method to external plugins. */
  | 'ERR_PDK_METHOD'
  /** The arguments do not fit the method. */
  | 'ERR_PDK_ARGUMENTS'
  /** Kong's reply is no message of the expected kind. */
  | 'ERR_PDK_REPLY'
  /** Kong's reply is larger than a frame may be; its bytes were dropped. */
  | 'ERR_REPLY_TOO_LARGE'
  /** The body is larger than the caller or the server allows. */
  | 'ERR_BODY_TOO_LARGE'
  /** The file with the body may not or cannot be read. */
  | 'ERR_BODY_FILE';

/** A PDK call that did not work. The connection stays usable, so the plugin can still answer with an exit. */
export class PdkCallError extends Error {
  override readonly name = 'PdkCallError';
  readonly code: PdkCallErrorCode;

  constructor(code: PdkCallErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
