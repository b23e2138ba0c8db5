import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { response } from '../support/hostile-provider.js';
import { hostileSetup } from '../support/hostile-setup.js';
import { PERMIT, TEST_SECRET } from '../support/sideband-clients.js';
import { permit } from '../support/sideband-setup.js';
import { until } from '../support/until.js';

const { client, provider } = hostileSetup();

describe('slow', () => {
  test.each<[string, (socket: Socket) => void, string]>([
    ['no head', () => {}, 'no answer came in time'],
    ['a head that does not end', (socket) => socket.write('HTTP/1.1 200 OK\r\nX-A: '), 'did not end in time'],
    [
      'informational answers without end',
      (socket) => drip(socket, 'HTTP/1.1 102 Processing\r\n\r\n'),
      'did not end in time',
    ],
    ['a body one byte at a time', (socket) => slowBody(socket), 'did not end in time'],
  ])('%s', async (_, answering, detail) => {
    const server = await provider(answering);
    const error = await client(server.url, { call_timeout_ms: 250 }).failure();
    expect(error.code).toBe('provider_timeout');
    expect(error.detail).toContain(detail);
    await until('the connection is given up', () => !server.isOpen(0));
  });

  test('an error whose body never ends is still that error, not a timeout that could fail open', async () => {
    const head = ['Content-Type: text/html', 'Content-Length: 1000'];
    const server = await provider((socket) => socket.write(response('401 Unauthorized', 'x', head)));
    expect(await client(server.url, { call_timeout_ms: 250 }).outcome()).toBe('provider_secret_refused');
  });

  test('a client that goes away cancels its call', async () => {
    const server = await provider(() => {});
    const gone = new AbortController();
    const outcome = client(server.url).outcome({ signal: gone.signal });
    await until('the provider has the request', () => server.received.length === 1);
    gone.abort();
    expect(await outcome).toBe('client_gone');
    await until('the connection is given up', () => !server.isOpen(0));
  });

  test('for a client that is gone already no provider is asked', async () => {
    const server = await provider(permit);
    expect(await client(server.url).outcome({ signal: AbortSignal.abort() })).toBe('client_gone');
    expect(server.accepted).toBe(0);
  });

  test('a client that goes away during the connection attempt sends nothing later', async () => {
    const server = await provider(permit);
    const gone = new AbortController();
    const one = client(server.url, { connections: 1 });
    const outcome = one.outcome({ signal: gone.signal });
    setImmediate(() => gone.abort());
    expect(await outcome).toBe('client_gone');
    expect(await one.outcome()).toBe('permit');
    expect(server.received).toHaveLength(1);
  });
});

describe('too much', () => {
  const limits = { max_sideband_response_bytes: 100_000 };

  test('100 MB announced: not even read', async () => {
    const server = await provider((socket) =>
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n{'),
    );
    expect(await client(server.url, limits).outcome()).toBe('provider_answer_too_large');
    await until('the connection is given up', () => !server.isOpen(0));
  });

  test('100 MB in chunks: ended at the limit', async () => {
    const chunk = Buffer.from(`10000\r\n${'x'.repeat(65_536)}\r\n`);
    let written = 0;
    const server = await provider((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const pump = () => {
        while (written < 100_000_000 && !socket.destroyed) {
          written += chunk.length;
          if (!socket.write(chunk)) {
            socket.once('drain', pump);
            return;
          }
        }
      };
      pump();
    });
    expect(await client(server.url, limits).outcome()).toBe('provider_answer_too_large');
    await until('the connection is given up', () => !server.isOpen(0));
    expect(written).toBeLessThan(50_000_000);
  });

  test('one byte under the limit is read', async () => {
    const body = JSON.stringify({ ...PERMIT, body: 'x'.repeat(5000) });
    const server = await provider((socket) => socket.write(response('200 OK', body)));
    expect(await client(server.url, { max_sideband_response_bytes: body.length }).outcome()).toBe('permit');
    expect(await client(server.url, { max_sideband_response_bytes: body.length - 1 }).outcome()).toBe(
      'provider_answer_too_large',
    );
  });

  test.each<[string, (socket: Socket) => void]>([
    ['headers', (socket) => drip(socket, `X-A: ${'a'.repeat(8000)}\r\n`, 'HTTP/1.1 200 OK\r\n')],
    ['one header name', (socket) => drip(socket, 'a'.repeat(8000), 'HTTP/1.1 200 OK\r\n')],
    [
      'trailers',
      (socket) =>
        drip(
          socket,
          `X-A: ${'a'.repeat(8000)}\r\n`,
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n',
        ),
    ],
  ])('endless: %s', async (_, answering) => {
    const server = await provider(answering);
    expect(await client(server.url).outcome()).toBe('provider_answer_too_large');
    await until('the connection is given up', () => !server.isOpen(0));
  });

  test('an endless error body is cut, the status counts', async () => {
    const server = await provider((socket) =>
      drip(socket, 'x'.repeat(60_000), 'HTTP/1.1 404 Not Found\r\n\r\n'),
    );
    expect(await client(server.url).outcome()).toBe('provider_no_endpoint');
    await until('the connection is given up', () => !server.isOpen(0));
  });
});

describe('not a decision', () => {
  test.each([
    ['half a JSON text', response('200 OK', '{"method":"GET"'), 'provider_not_json'],
    ['HTML', response('200 OK', '<!DOCTYPE html><title>Welcome</title>'), 'provider_not_json'],
    ['nothing', response('200 OK', ''), 'provider_not_json'],
    [
      'bytes that are not UTF-8',
      Buffer.from(response('200 OK', '{"method":"\xff"}', ['Content-Length: 14']), 'latin1'),
      'provider_not_json',
    ],
    ['an array', response('200 OK', '[]'), 'provider_answer_invalid'],
    ['null', response('200 OK', 'null'), 'provider_answer_invalid'],
    ['an empty object', response('200 OK', '{}'), 'provider_answer_invalid'],
    ['201 with a permit', response('201 Created', PERMIT), 'provider_unexpected_status'],
    ['202 with a permit', response('202 Accepted', PERMIT), 'provider_unexpected_status'],
    ['204', 'HTTP/1.1 204 No Content\r\n\r\n', 'provider_unexpected_status'],
    ['206 with a permit', response('206 Partial Content', PERMIT), 'provider_unexpected_status'],
    ['304', 'HTTP/1.1 304 Not Modified\r\n\r\n', 'provider_unexpected_status'],
    ['100 Continue, unasked', 'HTTP/1.1 100 Continue\r\n\r\n', 'provider_unexpected_status'],
    [
      '101',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n',
      'provider_unexpected_status',
    ],
    ['400', response('400 Bad Request', { message: 'bad' }), 'provider_rejected'],
    [
      '401',
      response('401 Unauthorized', { id: 'e1', message: 'The Gateway Token is invalid' }),
      'provider_secret_refused',
    ],
    ['403', response('403 Forbidden', {}), 'provider_forbidden'],
    ['404', response('404 Not Found', 'nope'), 'provider_no_endpoint'],
    ['407', response('407 Proxy Authentication Required', ''), 'provider_rejected'],
    ['500', response('500 Internal Server Error', 'oops'), 'provider_failing'],
    ['503 with a permit', response('503 Service Unavailable', PERMIT), 'provider_failing'],
    ['something that is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n', 'provider_not_json'],
    ['a status line with a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n', 'provider_not_json'],
    [
      'two content lengths',
      'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x',
      'provider_not_json',
    ],
  ])('%s', async (_, bytes, code) => {
    const server = await provider((socket) => socket.write(bytes));
    expect(await client(server.url).outcome()).toBe(code);
    expect(server.received).toHaveLength(1);
  });

  test('103 Early Hints is not the answer; what follows is', async () => {
    const server = await provider((socket) =>
      socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${response('200 OK', PERMIT)}`),
    );
    expect(await client(server.url).outcome()).toBe('permit');
  });

  test('bytes after a permit do not become the answer to the next call', async () => {
    const deny = { response: { response_code: '403', headers: [] } };
    const server = await provider((socket, { index }) =>
      socket.write(
        index === 0 ? response('200 OK', deny) + response('200 OK', PERMIT) : response('200 OK', deny),
      ),
    );
    const one = client(server.url, { connections: 1 });
    expect(await one.outcome()).toBe('deny');
    expect(await one.outcome()).toBe('deny');
  });

  test('a redirect is not followed: the secret would travel', async () => {
    const target = await provider(permit);
    const server = await provider((socket) =>
      socket.write(
        response('307 Temporary Redirect', '', [`Location: ${target.url}/x?secret=1`, 'Content-Length: 0']),
      ),
    );
    const error = await client(server.url).failure();
    expect(error.code).toBe('provider_unexpected_status');
    expect(error.detail).toContain(`redirect to "${target.url}/x" not followed`);
    expect(target.accepted).toBe(0);
  });

  test('the detail of an error answer names id and message, and nothing else of it', async () => {
    const server = await provider((socket) =>
      socket.write(
        response('401 Unauthorized', {
          id: 'e-77',
          code: 'X',
          message: 'bad\u0007 token',
          token: TEST_SECRET,
        }),
      ),
    );
    const error = await client(server.url).failure();
    expect(error.detail).toBe('status 401, code "X", id "e-77", message "bad? token"');
    expect(error.call.providerErrorId).toBe('e-77');
  });

  test('413: the JSON is for the client, anything else is not', async () => {
    const json = { id: 'e', code: 'TOO_LARGE', message: 'over 6 kB' };
    const bodies = [JSON.stringify(json), '<html>', '[1]', '"text"'];
    const server = await provider((socket, { index }) =>
      socket.write(response('413 Too Large', bodies[index] ?? '')),
    );
    const one = client(server.url);
    const errors = [await one.failure(), await one.failure(), await one.failure(), await one.failure()];
    expect(errors.map(({ code }) => code)).toEqual(Array(4).fill('provider_payload_too_large'));
    expect(errors.map(({ clientJson }) => clientJson && JSON.parse(clientJson))).toEqual([
      json,
      undefined,
      undefined,
      undefined,
    ]);
  });
});

/** Writes the same text again and again until the socket is closed. */
function drip(socket: Socket, text: string, first = ''): void {
  socket.write(first);
  const timer = setInterval(() => socket.write(text), 5);
  socket.on('close', () => clearInterval(timer));
}

function slowBody(socket: Socket): void {
  const text = JSON.stringify(PERMIT);
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`);
  let at = 0;
  const timer = setInterval(() => socket.write(text.charAt(at++)), 5);
  socket.on('close', () => clearInterval(timer));
}
