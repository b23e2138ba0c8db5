import { createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { listen } from '../../dev/listen.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import type { Payload } from '../../src/sideband/payloads.js';
import { createSidebandClient } from '../../src/sideband/sideband-client.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { PERMIT, PUNCTUAL_CLOCK, TEST_SECRET } from '../support/sideband-clients.js';

/** A large payload is written in pieces; a provider may answer, or close, before it has all of them. */
const LARGE: Payload = Array.from({ length: 16 }, () => Buffer.alloc(1_048_576, ' '));
const closing = new Closing();
afterEach(() => closing.close());

const answerOf = (status: string, body: string) =>
  `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** A provider that answers small calls, and does something else with the first bytes of a large one. */
async function clientOf(onLarge: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      const [, length] = /content-length: (\d+)/i.exec(chunk.toString('latin1')) ?? [];
      if (length === undefined) return;
      if (Number(length) > 1_048_576) onLarge(socket);
      else socket.write(answerOf('200 OK', JSON.stringify(PERMIT)));
    });
    closing.add(() => socket.destroy());
  });
  closing.add(() => server.close());
  const port = await listen(server);
  const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
  closing.add(() => runtime.close());
  const config = { service_url: `http://127.0.0.1:${port}`, shared_secret: TEST_SECRET, connections: 1 };
  const client = createSidebandClient(parseConfig(config), {}, runtime);
  return async (payload: Payload): Promise<string> => {
    try {
      return (await client.evaluateRequest(payload, {})).answer.kind;
    } catch (error) {
      return error instanceof PingAuthError ? error.code : String(error);
    }
  };
}

const tooLarge = answerOf('413 Content Too Large', '{}');

test.each<[string, string, (socket: Socket) => void]>([
  ['refuses it and reads on', 'provider_payload_too_large', (socket) => socket.write(tooLarge)],
  ['refuses it and closes', 'provider_payload_too_large', (socket) => socket.pause().end(tooLarge)],
  ['closes', 'provider_connection_lost', (socket) => socket.destroy()],
  ['resets the connection', 'provider_connection_lost', (socket) => socket.resetAndDestroy()],
])('a provider that %s: the call ends with %s, and the next one is answered', async (_, code, onLarge) => {
  const call = await clientOf(onLarge);
  expect([
    await call('{}'),
    await call(LARGE),
    await call('{}'),
    await call(LARGE),
    await call('{}'),
  ]).toEqual(['permit', code, 'permit', code, 'permit']);
});
