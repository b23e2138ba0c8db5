import { randomUUID } from 'node:crypto';
import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Delivery, JsonValue } from './rules.js';

/** What goes back to the plugin, right or wrong. */
export interface Answer {
  readonly status: number;
  readonly reason?: string | undefined;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  /** Statuses of interim answers that go first. */
  readonly interim?: readonly number[] | undefined;
  /** Headers or body that never end. */
  readonly endless?: 'headers' | 'body' | undefined;
  readonly deliver?: Delivery | undefined;
}

/** 200 with a JSON document, as every decision is. */
export function jsonAnswer(value: JsonValue, status = 200, headers: Answer['headers'] = []): Answer {
  return {
    status,
    headers: [['Content-Type', 'application/json'], ...headers],
    body: Buffer.from(JSON.stringify(value)),
  };
}

/** An answer that is not a decision, in the shape that Ping's servers give it. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers: Answer['headers'] = [],
): Answer {
  return jsonAnswer({ id: randomUUID(), code, message }, status, headers);
}

/** The TCP socket under the TLS one: the only one that can be reset. */
export type RawSocket = Socket;

/**
 * Sends an answer. An ordinary one goes through Node's own HTTP; one that breaks rules is written to the socket byte by
 * byte, and the connection ends after it.
 */
export async function deliver(
  answer: Answer,
  response: ServerResponse,
  tcp: RawSocket | undefined,
): Promise<void> {
  if (response.destroyed) return;
  if (isOrdinary(answer)) {
    const headers = [...answer.headers.flat(), 'Content-Length', String(answer.body.length)];
    response.writeHead(answer.status, answer.reason ?? STATUS_CODES[answer.status] ?? 'Unknown', headers);
    response.end(answer.body);
    return;
  }
  const socket = response.socket;
  if (socket === null) return;
  socket.on('error', () => {});
  await writeVerbatim(answer, socket, tcp);
}

function isOrdinary(answer: Answer): boolean {
  const dictated = answer.headers.some(
    ([name, value]) => !/^[\w-]+$/.test(name) || /[^\t\x20-\x7e]/.test(value),
  );
  const framed = answer.headers.some(([name]) =>
    /^(content-length|transfer-encoding|connection)$/i.test(name),
  );
  const bodyless = answer.status === 204 || answer.status === 304 || answer.status < 200;
  return !(answer.deliver || answer.endless || answer.interim || dictated || framed || bodyless);
}

async function writeVerbatim(answer: Answer, socket: Socket, tcp: RawSocket | undefined): Promise<void> {
  const head = Buffer.from(headText(answer), 'latin1');
  const { pace, stop } = answer.deliver ?? {};
  const body = Buffer.from(answer.body);
  const upTo =
    stop && { start: 0, head: head.length >> 1, body: head.length + Math.ceil(body.length / 2) }[stop.at];
  const bytes = Buffer.concat([head, body]).subarray(0, upTo);
  const atOnce =
    pace === undefined ? bytes.length : pace.from === 'body' ? Math.min(head.length, bytes.length) : 0;
  await write(socket, bytes.subarray(0, atOnce));
  for (let at = atOnce; pace && at < bytes.length && socket.writable; at += pace.bytes) {
    await pause(pace.every_ms);
    await write(socket, bytes.subarray(at, at + pace.bytes));
  }
  while (answer.endless && socket.writable) {
    await write(
      socket,
      answer.endless === 'headers'
        ? Buffer.from('X-More: and more\r\n'.repeat(200))
        : Buffer.alloc(65536, 'x'),
    );
  }
  await finish(stop?.how ?? 'close', socket, tcp);
}

async function finish(
  how: 'reset' | 'close' | 'hang',
  socket: Socket,
  tcp: RawSocket | undefined,
): Promise<void> {
  if (how === 'hang') return;
  if (how === 'close') {
    socket.end();
    return;
  }
  // A reset overtakes bytes that the peer has not read yet; what was written should be seen first.
  await pause(30);
  if (tcp && !tcp.destroyed) tcp.resetAndDestroy();
  socket.destroy();
}

function headText(answer: Answer): string {
  const interim = (answer.interim ?? []).map(
    (status) => `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Interim'}\r\n\r\n`,
  );
  const names = new Set(answer.headers.map(([name]) => name.toLowerCase()));
  const lines = answer.headers.map(([name, value]) => `${name}: ${value}\r\n`);
  const framed =
    names.has('content-length') || names.has('transfer-encoding') || answer.endless !== undefined;
  const bodyless = answer.status === 204 || answer.status === 304 || answer.status < 200;
  if (!framed && !bodyless) lines.push(`Content-Length: ${answer.body.length}\r\n`);
  const status = `HTTP/1.1 ${answer.status} ${answer.reason ?? STATUS_CODES[answer.status] ?? 'Unknown'}\r\n`;
  return `${interim.join('')}${status}${lines.join('')}${answer.endless === 'headers' ? '' : '\r\n'}`;
}

/** Resolves when the bytes are on their way or the peer is gone. */
function write(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (bytes.length === 0 || !socket.writable) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      socket.off('close', done);
      resolve();
    };
    socket.once('close', done);
    socket.write(bytes, done);
  });
}
