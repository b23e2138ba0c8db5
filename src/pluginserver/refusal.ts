import { EXIT_METHOD } from './pdk-methods.js';
import type { PdkPipe } from './pdk-pipe.js';

/** Kong's reading of "all headers", and its maximum. */
const MAX_HEADERS = 1000;
/** An upstream may send more than Kong shows at once. */
const MAX_ROUNDS = 20;

/** Kong frames the answer itself; clearing these could break it. */
const FRAMING_HEADERS = new Set(['connection', 'content-length', 'keep-alive', 'transfer-encoding']);

const MESSAGES: Readonly<Record<number, string>> = {
  500: 'An unexpected error occurred',
  503: 'Service unavailable',
};

export type RefusalStatus = 500 | 503;

/**
 * Ends an event whose plugin did not: the client gets a plain error and nothing of the upstream's answer. In the response
 * phase an exit keeps the upstream's headers (cookies, for example), so they are cleared by name first.
 *
 * @throws EventOverError when the connection is gone.
 */
export async function refuse(pipe: PdkPipe, phase: string, status: RefusalStatus): Promise<void> {
  if (phase === 'response') await clearUpstreamHeaders(pipe);
  exit(pipe, status);
}

/** The refusal without a look at the headers, for when Kong no longer answers. */
export function exit(pipe: PdkPipe, status: RefusalStatus): void {
  const body = JSON.stringify({ message: MESSAGES[status] });
  pipe.put({
    Method: EXIT_METHOD,
    Args: [status, body, { 'Content-Type': 'application/json; charset=utf-8' }],
  });
}

async function clearUpstreamHeaders(pipe: PdkPipe): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round++) {
    pipe.put({ Method: 'kong.response.get_headers', Args: [MAX_HEADERS] });
    const [headers] = await pipe.get();
    const shown = Object.entries(headers as Record<string, string | string[]>);
    for (const [name] of shown) {
      if (!FRAMING_HEADERS.has(name.toLowerCase()))
        pipe.put({ Method: 'kong.response.clear_header', Args: [name] });
    }
    const values = shown.reduce((count, [, value]) => count + (Array.isArray(value) ? value.length : 1), 0);
    if (values < MAX_HEADERS) return;
  }
}
