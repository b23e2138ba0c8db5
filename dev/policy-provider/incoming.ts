import type { IncomingMessage } from 'node:http';
import { type Answer, errorAnswer } from './answer.js';

/** What is wrong with the call itself, before its payload is looked at; undefined when nothing is. */
export function refuse(
  request: IncomingMessage,
  phase: 'request' | 'response' | undefined,
  bytes: Buffer | undefined,
  options: { readonly secret?: string; readonly secretHeader?: string },
): Answer | undefined {
  if (phase === undefined) return errorAnswer(404, 'NOT_FOUND', `There is nothing at ${request.url ?? ''}`);
  if (request.method !== 'POST')
    return errorAnswer(405, 'METHOD_NOT_ALLOWED', 'Only POST', [['Allow', 'POST']]);
  const given = request.headers[(options.secretHeader ?? 'CLIENT-TOKEN').toLowerCase()];
  if (options.secret !== undefined && given !== options.secret) {
    return errorAnswer(401, 'UNAUTHORIZED', 'The Gateway Token is invalid');
  }
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    return errorAnswer(415, 'UNSUPPORTED_MEDIA_TYPE', 'Content-Type is not application/json');
  }
  if (bytes === undefined) return errorAnswer(413, 'PAYLOAD_TOO_LARGE', 'The payload is over the limit');
  return undefined;
}

/** Whatever stands before it: a `service_url` may have a path of its own. */
export function phaseOf(request: IncomingMessage): 'request' | 'response' | undefined {
  const [path = ''] = (request.url ?? '').split('?', 1);
  if (path.endsWith('/sideband/request') && !path.includes('//')) return 'request';
  return path.endsWith('/sideband/response') && !path.includes('//') ? 'response' : undefined;
}

/** undefined when there is more than the limit; the rest is read and thrown away so that the answer gets through. */
export async function readAll(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= limit) chunks.push(chunk);
  }
  return length > limit ? undefined : Buffer.concat(chunks);
}

/** Node's flat list of names and values as pairs. */
export function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, index) =>
    index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as [string, string]] : [],
  );
}
