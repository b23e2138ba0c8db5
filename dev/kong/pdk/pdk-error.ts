/** A PDK call raised a Lua error: the client gets Kong's 500. */
export class PdkError extends Error {
  override readonly name = 'PdkError';
}

/** `kong.response.exit` was called: nothing of this plugin or of later ones runs any more. */
export class ExitSignal extends Error {
  override readonly name = 'ExitSignal';
  constructor(
    readonly status: number,
    readonly body: Buffer,
    /** MsgPack without a body: Kong sends its own answer for that status instead of an empty one. */
    readonly bare: boolean = false,
  ) {
    super(`exit ${status}`);
  }
}
