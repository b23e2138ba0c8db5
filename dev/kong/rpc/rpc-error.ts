/** Why a call to the plugin server failed, in the words Kong logs. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
}

/** The connection ended cleanly in the middle of a call; Kong resets the plugin's instances and runs the event again. */
export const CLOSED = 'closed';

export function connectError(error: NodeJS.ErrnoException): RpcError {
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    ECONNREFUSED: 'connection refused',
    EACCES: 'permission denied',
  };
  return new RpcError(words[error.code ?? ''] ?? error.message);
}
