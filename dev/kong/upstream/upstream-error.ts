/** No usable answer from the upstream. `status` is what nginx makes of it. */
export class UpstreamError extends Error {
  override readonly name = 'UpstreamError';
  constructor(
    readonly status: 500 | 502 | 503 | 504,
    message: string,
    /** Nothing was sent: another try cannot repeat a request. */
    readonly beforeSending: boolean,
  ) {
    super(message);
  }
}
