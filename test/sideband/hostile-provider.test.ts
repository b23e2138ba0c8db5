import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import { response, startHostileProvider } from '../support/hostile-provider.js';
import { hostileSetup } from '../support/hostile-setup.js';
import { PERMIT, PUNCTUAL_CLOCK, REQUEST, RESPONSE, testClient } from '../support/sideband-clients.js';
import { permit } from '../support/sideband-setup.js';
import { until } from '../support/until.js';

const { ca, client, closing, provider } = hostileSetup();

describe('the call itself', () => {
  test('carries the payload, the secret and what correlates it', async () => {
    const server = await provider((socket) =>
      socket.write(
        response('200 OK', PERMIT, [
          'Correlation-Id: cid-1',
          `Content-Length: ${JSON.stringify(PERMIT).length}`,
        ]),
      ),
    );
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const asked = await client(`${server.url}/base//?k=v`).evaluateRequest(REQUEST, {
      requestId: 'req-1',
      traceparent,
      tracestate: 'a=b',
    });

    const [received] = server.received;
    const head = received?.head.split('\r\n') ?? [];
    expect(head[0]).toBe('POST /base/sideband/request?k=v HTTP/1.1');
    expect(
      head
        .slice(1)
        .map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase()))
        .sort(),
    ).toEqual(
      [
        'accept: application/json',
        'client-token: test-secret-sideband-Qw7',
        'connection: keep-alive',
        `content-length: ${Buffer.byteLength(JSON.stringify(REQUEST))}`,
        'content-type: application/json',
        `host: 127.0.0.1:${server.port}`,
        `traceparent: ${traceparent}`,
        'tracestate: a=b',
        'user-agent: Kong/2.1.0',
        'x-request-id: req-1',
      ].sort(),
    );
    expect(JSON.parse(received?.body ?? '')).toEqual(REQUEST);
    expect(asked).toMatchObject({
      answer: { kind: 'permit' },
      provider: `${server.url}/base`,
      correlationId: 'cid-1',
    });
  });

  test('a trace context or request id that could not travel is left out, and the call continues', async () => {
    const server = await provider(permit);
    const bad = { traceparent: 'x\r\ny: z', tracestate: 'a=b', requestId: 'a b' };
    expect(await client(server.url).outcome(bad)).toBe('permit');
    expect(server.received[0]?.head).not.toMatch(/traceparent|tracestate|x-request-id|y: z/i);
  });

  test('the response call goes to its own path', async () => {
    const server = await provider((socket) =>
      socket.write(response('200 OK', { response_code: 403, headers: [{ 'x-b': '2' }], body: 'no' })),
    );
    const { answer } = await client(server.url).evaluateResponse(RESPONSE, {});
    expect(server.received[0]?.head).toMatch(/^POST \/sideband\/response HTTP/);
    expect(answer).toEqual({ responseCode: 403, headers: [['x-b', '2']], body: 'no' });
  });

  test('a kept connection is used again', async () => {
    const server = await provider(permit);
    const one = client(server.url, { connections: 1 });
    for (let i = 0; i < 3; i++) expect(await one.outcome()).toBe('permit');
    expect(server.received.map(({ connection, onConnection }) => [connection, onConnection])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
    ]);
  });
});

describe('no connection', () => {
  test('refused', async () => {
    const server = await provider(permit);
    await server.close();
    const error = await client(server.url).failure();
    expect(error.code).toBe('provider_unreachable');
    expect(error.detail).toContain('ECONNREFUSED');
    expect(error.call).toMatchObject({ provider: server.url });
  });

  test('a host name that does not exist', async () => {
    const error = await client('https://does-not-exist.invalid').failure();
    expect(error.code).toBe('provider_unreachable');
    expect(error.detail).toMatch(/cannot be resolved|no connection/);
  });

  test('black-holed: connected, but the handshake never ends', async () => {
    const server = await startHostileProvider(undefined, () => {});
    closing.add(() => server.close());
    const error = await client(`https://127.0.0.1:${server.port}`, { connection_timeout_ms: 150 }).failure();
    expect(error.code).toBe('provider_timeout');
    expect(error.detail).toContain('connect timeout');
  });

  test('the overall deadline ends a connection attempt as well', async () => {
    const server = await startHostileProvider(undefined, () => {});
    closing.add(() => server.close());
    expect(await client(`https://127.0.0.1:${server.port}`, { call_timeout_ms: 100 }).outcome()).toBe(
      'provider_timeout',
    );
  });
});

describe('connection lost', () => {
  test.each<[string, (socket: Socket) => void, string]>([
    ['before the head', (socket) => socket.destroy(), 'before an answer'],
    ['in the head', (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Le'), 'within the answer'],
    [
      'in the body',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{"method":"GET",'),
      'within the answer',
    ],
    [
      'in a chunk',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"meth'),
      'within the answer',
    ],
    [
      'after a chunk that would be a permit, before the last one',
      (socket) => {
        const text = JSON.stringify(PERMIT);
        socket.end(
          `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`,
        );
      },
      'within the answer',
    ],
  ])('%s', async (_, answering, detail) => {
    const server = await provider(answering);
    const error = await client(server.url).failure();
    expect(error.code).toBe('provider_connection_lost');
    expect(error.detail).toContain(detail);
    expect(server.received).toHaveLength(1);
  });

  test('before the head, by RST', async () => {
    const server = await startHostileProvider(undefined, (socket) => socket.resetAndDestroy());
    closing.add(() => server.close());
    const error = await client(server.url).failure();
    expect(error.code).toBe('provider_connection_lost');
    expect(error.detail).toContain('ECONNRESET');
  });

  test('refused, never failed open by default; with fail_open_scope: unavailable it may', async () => {
    const server = await provider((socket) => socket.destroy());
    const error = await client(server.url).failure();
    expect(error.code).toBe('provider_connection_lost');
    expect([error.mayFailOpen('unreachable'), error.mayFailOpen('unavailable')]).toEqual([false, true]);
  });

  test('on a large message the log names the size as a likely reason', async () => {
    const server = await provider((socket) => socket.destroy());
    const error: unknown = await client(server.url)
      .evaluateRequest({ ...REQUEST, body: 'x'.repeat(100_000) }, {})
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'provider_connection_lost',
      failOpenScope: 'unavailable',
      detail: expect.stringContaining('the message is large'),
    });
  });
});

describe('restarts', () => {
  test('a kept connection that was closed just now: one repetition on a new connection', async () => {
    const stale: string[] = [];
    const runtime = new SidebandRuntime(PUNCTUAL_CLOCK);
    closing.add(() => runtime.close());
    const server = await provider((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(response('200 OK', PERMIT));
      else socket.destroy();
    });
    const observer = { staleConnection: ({ provider }: { provider: string }) => stale.push(provider) };
    const one = testClient(
      { service_url: server.url, ca_certificate: ca(), connections: 1 },
      { runtime, observer },
    );
    expect(await one.outcome()).toBe('permit');
    expect(await one.outcome()).toBe('permit');
    expect(stale).toEqual([server.url]);
    expect(server.received.map(({ connection }) => connection)).toEqual([0, 0, 1]);
  });

  test('the repetition finds no provider: bytes of the call were sent before, so it cannot fail open', async () => {
    const server = await provider((socket, { onConnection }) => {
      if (onConnection === 0) socket.write(response('200 OK', PERMIT));
      // A request that crashes the provider.
      else void server.close();
    });
    const one = client(server.url, { connections: 1 });
    expect(await one.outcome()).toBe('permit');
    const error = await one.failure();
    expect([error.code, error.mayFailOpen('unreachable')]).toEqual(['provider_connection_lost', false]);
    expect((await one.failure()).code).toBe('provider_unreachable');
  });

  test('only one repetition, and none once a byte has arrived', async () => {
    const server = await provider((socket, { index }) => {
      if (index === 0) socket.write(response('200 OK', PERMIT));
      else socket.end('HTTP/1.1 200');
    });
    const one = client(server.url, { connections: 1 });
    expect(await one.outcome()).toBe('permit');
    expect(await one.outcome()).toBe('provider_connection_lost');
    expect(server.received).toHaveLength(2);

    server.answer = (socket) => socket.destroy();
    expect(await one.outcome()).toBe('provider_connection_lost');
    expect(server.received).toHaveLength(3);
  });

  test('in the middle of load: every call ends in an answer or an error, and later calls succeed', async () => {
    const first = await provider((socket) => setTimeout(() => socket.write(response('200 OK', PERMIT)), 2));
    const one = client(first.url, { connections: 16, call_timeout_ms: 5000 });
    const outcomes: string[] = [];
    let stop = false;
    const load = Array.from({ length: 32 }, async () => {
      while (!stop) outcomes.push(await one.outcome());
    });
    await until('load runs', () => outcomes.length > 100);
    await first.close();
    const second = await provider(permit, first.port);
    const before = outcomes.length;
    await until('the load continues', () => second.received.length > 100);
    stop = true;
    await Promise.all(load);
    expect(outcomes.length).toBeGreaterThan(before);
    const others = new Set(outcomes);
    for (const expected of ['permit', 'provider_unreachable', 'provider_connection_lost'])
      others.delete(expected);
    expect([...others]).toEqual([]);
    expect(await one.outcome()).toBe('permit');
  });
});
