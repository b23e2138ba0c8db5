// Node's own fetch: the executables bundle only the parts of undici that the sideband client needs (scripts/undici-parts.cjs).

/** Discovery documents and tool lists are small; more is somebody else's page. */
const MAX_BYTES = 4_000_000;

/** What a server answered, as far as the check looks at it. */
export interface Reply {
  readonly status: number;
  readonly headers: Response['headers'];
  readonly text: string;
}

/** @throws Error in words for the operator when there is no answer */
export async function get(url: string, timeoutMs: number): Promise<Reply> {
  return send(url, { method: 'GET', headers: { accept: 'application/json' }, redirect: 'follow' }, timeoutMs);
}

/** @throws Error in words for the operator when there is no answer */
export async function postMessage(
  url: string,
  message: object,
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<Reply> {
  return send(
    url,
    {
      method: 'POST',
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        ...headers,
      },
      body: JSON.stringify(message),
      redirect: 'manual',
    },
    timeoutMs,
  );
}

async function send(url: string, init: RequestInit, timeoutMs: number): Promise<Reply> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(timeoutMs) });
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.length > MAX_BYTES) throw new Error('the answer is larger than 4 MB');
    }
    return { status: response.status, headers: response.headers, text };
  } catch (thrown) {
    const error = thrown as Error & { cause?: { code?: string; message?: string } };
    const reason =
      error.name === 'TimeoutError'
        ? `no answer within ${timeoutMs} ms`
        : (error.cause?.code ?? error.cause?.message ?? error.message);
    throw new Error(`${new URL(url).origin}: ${reason}`);
  }
}
