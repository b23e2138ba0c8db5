import http2 from 'node:http2';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Names } from './names.js';
import { expand, type RecordedClient, type RecordedRequest, type RecordedResponse } from './recordings.js';
import { type Parsed, parseResponses } from './responses.js';

export interface ClientTarget {
  readonly plainPort: number;
  readonly tlsPort: number;
  readonly identity: { readonly cert: string; readonly key: string };
}

/** How long a client waits for what does not come. */
const HANG_MS = 1000;
/** How long it stays to see whether more comes behind a complete answer. */
const LINGER_MS = 15;
const PATIENCE_MS = 60_000;
/** The other end lives in this process: it has to accept and to read in between, however late the timer came. */
const TURNS = 30;

/**
 * Sends a recorded request and tells what came back, in the recordings' notation.
 * @param settled whether Kong has done all it will do; a client that waits in vain waits for that too
 */
export function replay(
  request: RecordedRequest,
  target: ClientTarget,
  names: Names,
  expected: RecordedClient | undefined,
  settled: () => boolean = () => true,
): Promise<RecordedClient> {
  return request.http2 === undefined
    ? replayHttp1(request, target, names, expected, settled)
    : replayHttp2(request, target, names, expected, settled);
}

async function replayHttp1(
  request: RecordedRequest,
  target: ClientTarget,
  names: Names,
  expected: RecordedClient | undefined,
  settled: () => boolean = () => true,
): Promise<RecordedClient> {
  const socket = await open(request, target, names.host);
  const received: Buffer[] = [];
  let closed = false;
  let wake: (() => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    received.push(chunk);
    wake?.();
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    closed = true;
    wake?.();
  });
  /** False when nothing happened for so long. */
  const happens = async (ms: number): Promise<boolean> => {
    if (closed) return false;
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(false), ms);
      const finish = (value: boolean): void => {
        clearTimeout(timer);
        wake = undefined;
        resolve(value);
      };
      wake = () => finish(true);
    });
  };
  const parts = (request.sent ?? []).map((part) => names.send(expand(part).toString('latin1')));
  const isHead = parts[0]?.startsWith('HEAD ') === true;
  let size = 0;
  let wanted = 0;
  let parsed: Parsed = { responses: [], unparsed: Buffer.alloc(0), complete: false };
  const inChunks = (): boolean => {
    const unfinished = parsed.responses.at(-1)?.framing === 'chunked' && !parsed.complete;
    return unfinished && !endsChunks(received);
  };
  const parse = (): Parsed => {
    const total = received.reduce((sum, chunk) => sum + chunk.length, 0);
    // A large body is not worth looking at before all of it can be there.
    if (!closed && (total === size || total < wanted || inChunks())) return parsed;
    size = total;
    parsed = parseResponses(Buffer.concat(received), isHead, closed);
    wanted = total + (parsed.responses.at(-1)?.short ?? 0);
    return parsed;
  };
  for (const [i, part] of parts.entries()) {
    socket.write(part, 'latin1');
    if (i === parts.length - 1) break;
    // The next part waits for the interim answer, or goes in a packet of its own.
    if (/^(expect: 100|upgrade:)/im.test(part)) while (received.length === 0 && (await happens(PATIENCE_MS)));
    else await ownPacket();
  }
  const callDeadline = expected?.hung === true ? HANG_MS : PATIENCE_MS;
  const start = Date.now();
  while (!parse().complete && !closed) {
    if (await happens(callDeadline)) continue;
    const asMany = parse().responses.length >= (expected?.responses?.length ?? 0);
    if ((settled() && asMany) || Date.now() - start > PATIENCE_MS) break;
  }
  const complete = parse().complete;
  if (complete && !closed) {
    const more = expected?.responses?.some((one) => one.extra !== undefined) === true;
    const lingering = expected?.closed === true ? PATIENCE_MS : more ? HANG_MS : LINGER_MS;
    while (await happens(lingering));
  }
  const { responses, unparsed } = parse();
  const wasClosed = closed;
  socket.destroy();
  return {
    responses: responses.map((one): RecordedResponse => {
      return {
        status: one.status,
        headers: one.headers.map((line) => names.seen(line)).sort(),
        ...(one.framing === undefined ? {} : { framing: one.framing }),
        body: names.body(one.body),
        ...(one.short === undefined ? {} : { short: one.short }),
        ...(one.extra === undefined ? {} : { extra: names.body(one.extra) }),
      };
    }),
    ...(unparsed.length > 0 ? { unparsed: names.body(unparsed) } : {}),
    closed: wasClosed,
    ...(complete || wasClosed ? {} : { hung: true }),
  };
}

/** Until the other side has read what was written: a while, and then once round the event loop. */
async function ownPacket(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, LINGER_MS));
  for (let i = 0; i < TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
}

async function open(request: RecordedRequest, target: ClientTarget, servername: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket =
      request.tls === true
        ? connectTls({
            host: '127.0.0.1',
            port: target.tlsPort,
            servername,
            rejectUnauthorized: false,
            ALPNProtocols: ['http/1.1'],
            ...(request.clientCert === true ? target.identity : {}),
          })
        : connect(target.plainPort, '127.0.0.1');
    socket.setNoDelay(true);
    socket.once('error', reject);
    socket.once(request.tls === true ? 'secureConnect' : 'connect', () => resolve(socket));
  });
}

async function replayHttp2(
  request: RecordedRequest,
  target: ClientTarget,
  names: Names,
  expected: RecordedClient | undefined,
  settled: () => boolean,
): Promise<RecordedClient> {
  const session = http2.connect(`https://127.0.0.1:${target.tlsPort}`, {
    rejectUnauthorized: false,
    servername: names.host,
    ...(request.clientCert === true ? target.identity : {}),
  });
  session.on('error', () => undefined);
  const headers: http2.OutgoingHttpHeaders = Object.fromEntries(
    Object.entries(request.http2 ?? {}).map(([name, value]) => [
      name,
      typeof value === 'string' ? names.send(value) : [...value],
    ]),
  );
  const stream = session.request(headers, { endStream: request.body === undefined });
  if (request.body !== undefined) stream.end(expand(request.body));
  try {
    return await new Promise((resolve) => {
      const parts: Buffer[] = [];
      let raw: string[] = [];
      let status: number | undefined;
      let failed = false;
      const finish = (hung: boolean): void => {
        clearInterval(timer);
        resolve({
          http2: true,
          ...(status === undefined ? {} : { status }),
          rst: stream.rstCode ?? 0,
          ...(hung ? { hung: true } : {}),
          ...(failed ? { error: true as const } : {}),
          ...(status === undefined ? {} : { headers: headerPairs(raw, names) }),
          body: names.body(Buffer.concat(parts)),
        });
      };
      const start = Date.now();
      const timer = setInterval(
        () => {
          if (settled() || Date.now() - start > PATIENCE_MS) finish(true);
        },
        expected?.hung === true ? HANG_MS : PATIENCE_MS,
      );
      (stream as NodeJS.EventEmitter).on(
        'response',
        (got: http2.IncomingHttpHeaders, _flags: number, list: string[]) => {
          status = Number(got[':status']);
          raw = list;
        },
      );
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', () => {
        failed = true;
      });
      stream.on('close', () => finish(false));
    });
  } finally {
    session.destroy();
  }
}

function headerPairs(raw: readonly string[], names: Names): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    if (name === ':status') continue;
    const seen = names.seen(`${name}: ${raw[i + 1] ?? ''}`);
    pairs.push([name, seen.slice(name.length + 2)]);
  }
  return pairs.sort(comparePairs);
}

export function comparePairs([a, x]: readonly [string, string], [b, y]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0;
}

/** The last bytes may be the end of a chunked body. */
function endsChunks(received: readonly Buffer[]): boolean {
  return Buffer.concat(received.slice(-2)).subarray(-5).toString('latin1') === '0\r\n\r\n';
}
