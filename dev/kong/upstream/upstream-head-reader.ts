import type { HeaderLine } from '../header-lines.js';
import { type ByteReader, ReadTimeout } from '../net/byte-reader.js';
import { UpstreamError } from './upstream-error.js';

export interface UpstreamHead {
  readonly status: number;
  readonly statusText: string | undefined;
  readonly version: string;
  readonly headers: readonly HeaderLine[];
}

/** Reads the head of the upstream's answer. @throws UpstreamError */
export async function readUpstreamHead(
  reader: ByteReader,
  maxSize: number,
  timeoutMs: number,
): Promise<UpstreamHead> {
  const lines: string[] = [];
  let size = 0;
  for (;;) {
    const at = reader.view().indexOf(0x0a);
    if (size + (at < 0 ? reader.size : at) > maxSize) {
      throw new UpstreamError(502, 'upstream sent too big header', false);
    }
    if (at < 0) {
      if (lines.length === 0 && reader.ended && reader.size > 0) return bare();
      await need(reader, timeoutMs);
      continue;
    }
    const line = reader.view().subarray(0, at).toString('latin1').replace(/\r$/, '');
    // Anything that is no status line is taken as the body of an HTTP/0.9 answer.
    if (lines.length === 0 && !/^HTTP\/\d\.\d +\d{3}( |$)/.test(line)) return bare();
    reader.skip(at + 1);
    size += at + 1;
    if (line === '') break;
    lines.push(line);
  }
  const [statusLine = '', ...rest] = lines;
  const [, version = '', statusText = ''] = /^(HTTP\/\d\.\d) +(.*)$/.exec(statusLine) ?? [];
  const headers = rest.map(parseLine);
  checkFraming(headers);
  return { status: Number(statusText.slice(0, 3)), statusText, version, headers };
}

function bare(): UpstreamHead {
  return { status: 0, statusText: undefined, version: 'HTTP/0.9', headers: [] };
}

async function need(reader: ByteReader, timeoutMs: number): Promise<void> {
  try {
    if (await reader.more(timeoutMs)) return;
  } catch (error) {
    if (error instanceof ReadTimeout) throw new UpstreamError(504, 'upstream timed out', false);
    throw error;
  }
  const what = reader.error === undefined ? 'upstream prematurely closed connection' : reader.error.message;
  throw new UpstreamError(502, `${what} while reading response header from upstream`, false);
}

function parseLine(line: string): HeaderLine {
  const colon = line.indexOf(':');
  if (colon <= 0) throw new UpstreamError(502, 'upstream sent invalid header', false);
  return { name: line.slice(0, colon), value: line.slice(colon + 1).replace(/^ +| +$/g, '') };
}

function checkFraming(headers: readonly HeaderLine[]): void {
  const count = (name: string): number => headers.filter((line) => line.name.toLowerCase() === name).length;
  if (count('content-length') > 1) {
    throw new UpstreamError(502, 'upstream sent duplicate header line: "Content-Length"', false);
  }
  if (count('content-length') > 0 && count('transfer-encoding') > 0) {
    throw new UpstreamError(
      502,
      'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time',
      false,
    );
  }
}
