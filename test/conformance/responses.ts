/** HTTP/1 responses as a client without any trust reads them off the wire. */

export interface ParsedResponse {
  readonly status: string;
  readonly headers: readonly string[];
  readonly framing?: 'content-length' | 'chunked' | 'none' | 'until-close' | 'upgrade';
  readonly body: Buffer;
  readonly short?: number;
  readonly extra?: Buffer;
}

export interface Parsed {
  readonly responses: ParsedResponse[];
  readonly unparsed: Buffer;
  /** The final response is there as a whole. */
  readonly complete: boolean;
}

export function parseResponses(bytes: Buffer, isHead: boolean, closed: boolean): Parsed {
  const responses: ParsedResponse[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return { responses, unparsed: rest, complete: false };
    const [status = '', ...headers] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const content = rest.subarray(end + 4);
    const code = Number(/^HTTP\/1\.\d (\d+)/.exec(status)?.[1] ?? 0);
    if (code >= 100 && code < 200 && code !== 101) {
      responses.push({ status, headers, body: Buffer.alloc(0) });
      rest = content;
      continue;
    }
    const { response, complete } = finalResponse(code, status, headers, content, isHead, closed);
    responses.push(response);
    return { responses, unparsed: Buffer.alloc(0), complete };
  }
}

function finalResponse(
  code: number,
  status: string,
  headers: readonly string[],
  content: Buffer,
  isHead: boolean,
  closed: boolean,
): { response: ParsedResponse; complete: boolean } {
  const header = (name: string): string | undefined =>
    headers
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim();
  const whole = (framing: NonNullable<ParsedResponse['framing']>, body: Buffer, behind: Buffer) => ({
    response: { status, headers, framing, body, ...(behind.length > 0 ? { extra: behind } : {}) },
    complete: true,
  });
  if (code === 101) {
    return { response: { status, headers, framing: 'upgrade', body: content }, complete: content.length > 0 };
  }
  if (isHead || code === 204 || code === 304) return whole('none', Buffer.alloc(0), content);
  const length = header('content-length');
  if (length !== undefined) {
    const missing = Number(length) - content.length;
    if (missing <= 0) {
      return whole('content-length', content.subarray(0, Number(length)), content.subarray(Number(length)));
    }
    const response = { status, headers, framing: 'content-length' as const, body: content, short: missing };
    return { response, complete: false };
  }
  if (header('transfer-encoding')?.toLowerCase() === 'chunked') {
    const { body, behind, complete } = dechunk(content);
    if (complete) return whole('chunked', body, behind);
    return { response: { status, headers, framing: 'chunked', body }, complete: false };
  }
  return { response: { status, headers, framing: 'until-close', body: content }, complete: closed };
}

function dechunk(content: Buffer): { body: Buffer; behind: Buffer; complete: boolean } {
  const parts: Buffer[] = [];
  let rest = content;
  for (;;) {
    const end = rest.indexOf('\r\n');
    if (end < 0) break;
    const size = Number.parseInt(rest.subarray(0, end).toString('latin1'), 16);
    if (rest.length < end + 2 + size + 2) break;
    if (size === 0) return { body: Buffer.concat(parts), behind: rest.subarray(end + 4), complete: true };
    parts.push(rest.subarray(end + 2, end + 2 + size));
    rest = rest.subarray(end + 2 + size + 2);
  }
  return { body: Buffer.concat(parts), behind: Buffer.alloc(0), complete: false };
}
