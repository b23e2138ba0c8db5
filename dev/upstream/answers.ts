import type { ServerResponse } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';

export interface ReceivedRequest {
  /** The client's `x-test-id`. */
  readonly id: string | undefined;
  readonly method: string;
  /** Request target as it stood on the wire. */
  readonly url: string;
  readonly httpVersion: string;
  /** As they stood on the wire: order, case and repeats. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bodyLength: number;
  readonly bodySha256: string;
  /** undefined when the body is not UTF-8 or larger than 64 KiB. */
  readonly bodyText: string | undefined;
}

/** What `/answer/…` is told to send. */
export interface DictatedAnswer {
  readonly status?: number;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string;
  readonly bodyBase64?: string;
}

type Special = (
  rest: string,
  request: ReceivedRequest,
  body: Buffer,
  response: ServerResponse,
) => void | Promise<void>;

/** Paths with an answer of their own; any other path shows what arrived. */
const SPECIAL: Readonly<Record<string, Special>> = {
  /** `/bytes/N`: N bytes, the same every time, every byte value among them. */
  bytes: (n, _request, _body, response) =>
    send(response, 200, [['Content-Type', 'application/octet-stream']], testBytes(Number(n))),
  /** `/text/N`: N bytes of ASCII text. */
  text: (n, _request, _body, response) =>
    send(response, 200, [['Content-Type', 'text/plain']], testText(Number(n))),
  status: (code, _request, _body, response) =>
    send(response, Number(code), [['Content-Type', 'text/plain']], `status ${code}\n`),
  /** Repeated, odd and telling headers. */
  headers: (_rest, _request, _body, response) =>
    send(
      response,
      200,
      [
        ['Content-Type', 'text/plain'],
        ['Set-Cookie', 'a=1; Path=/'],
        ['Set-Cookie', 'b=2; HttpOnly'],
        ['Cache-Control', 'no-store'],
        ['ETag', '"v1"'],
        ['X-Internal', 'host-17'],
        ['X-Keep', 'kept'],
      ],
      'headers\n',
    ),
  /** `/many-headers/N`: N headers beside the usual ones. */
  'many-headers': (n, _request, _body, response) =>
    send(
      response,
      200,
      Array.from({ length: Number(n) }, (_, i): [string, string] => [`X-Many-${i}`, `${i}`]),
      'many\n',
    ),
  gzip: (_rest, _request, _body, response) =>
    send(
      response,
      200,
      [
        ['Content-Type', 'text/plain'],
        ['Content-Encoding', 'gzip'],
      ],
      gzipSync(testText(2000)),
    ),
  /** `/slow/MS` */
  slow: async (ms, _request, _body, response) => {
    await pause(Number(ms) || 1000);
    send(response, 200, [['Content-Type', 'text/plain']], 'slow\n');
  },
  empty204: (_rest, _request, _body, response) => {
    response.writeHead(204, ['X-Upstream', 'empty']).end();
  },
  /** Chunked, one line at a time. */
  stream: async (count, _request, _body, response) => {
    response.writeHead(200, ['Content-Type', 'text/event-stream']);
    for (let i = 0; i < (Number(count) || 5) && !response.destroyed; i += 1) {
      response.write(`data: ${i}\n\n`);
      await pause(20);
    }
    response.end();
  },
  /** The body comes back with its own type. */
  mirror: (_rest, request, body, response) => {
    const type = request.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1];
    send(response, 200, [['Content-Type', type ?? 'application/octet-stream']], body);
  },
  /** JSON with things in it that a policy may want to take out. */
  profile: (_rest, _request, _body, response) =>
    send(
      response,
      200,
      [
        ['Content-Type', 'application/json'],
        ['X-Internal', 'host-17'],
      ],
      JSON.stringify({
        name: 'Ada',
        ssn: '078-05-1120',
        accounts: [
          { id: 1, balance: 250 },
          { id: 2, balance: 80 },
        ],
      }),
    ),
  /** `/answer/B64`: base64url of the JSON of a DictatedAnswer. */
  answer: (encoded, _request, _body, response) => {
    const told: DictatedAnswer = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    const body = told.bodyBase64 === undefined ? (told.body ?? '') : Buffer.from(told.bodyBase64, 'base64');
    send(response, told.status ?? 200, told.headers ?? [], body);
  },
  /** The connection ends in the middle of the body. */
  cut: (_rest, _request, _body, response) => {
    response.writeHead(200, ['Content-Length', '1000', 'Content-Type', 'text/plain']);
    response.write('x'.repeat(500), () => response.destroy());
  },
};

/** Path under which the upstream answers as told. */
export function answerPath(told: DictatedAnswer): string {
  return `/answer/${Buffer.from(JSON.stringify(told)).toString('base64url')}`;
}

/** False when the path is an ordinary one. The special part may stand anywhere: routes put prefixes before it. */
export async function answerSpecial(
  request: ReceivedRequest,
  body: Buffer,
  response: ServerResponse,
): Promise<boolean> {
  const segments = (request.url.split('?', 1)[0] ?? '').split('/');
  const at = segments.findIndex((segment) => Object.hasOwn(SPECIAL, segment));
  const answer = SPECIAL[segments[at] ?? ''];
  if (answer === undefined) return false;
  await answer(segments[at + 1] ?? '', request, body, response);
  return true;
}

/** Deterministic bytes: the first 256 are 0 to 255, after that a fixed pseudo-random sequence. */
export function testBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 0x2545f491;
  for (let i = 0; i < length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = i < 256 ? i : state & 0xff;
  }
  return bytes;
}

/** Deterministic ASCII text in lines. */
export function testText(length: number): Buffer {
  const line = 'All that is gold does not glitter, not all those who wander are lost. 0123456789\n';
  return Buffer.from(line.repeat(Math.ceil(length / line.length)).slice(0, length));
}

function send(
  response: ServerResponse,
  status: number,
  headers: readonly (readonly [string, string])[],
  body: Uint8Array | string,
): void {
  const bytes = Buffer.from(body);
  const bodyless = status === 204 || status === 304;
  const length = bodyless ? [] : ['Content-Length', String(bytes.length)];
  response.writeHead(status, [...headers.flat(), ...length]);
  response.end(bodyless ? undefined : bytes);
}
