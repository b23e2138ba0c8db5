import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import * as pingAuth from '../../src/plugin/module.js';
import { useTelemetry } from '../../src/plugin/runtime.js';
import { writeRequestContext } from '../../src/sideband/request-context.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';
import {
  eventCall,
  frame,
  instanceCall,
  intMessage,
  KongSide,
  type PdkCall,
  startCall,
  structMessage,
  textMessage,
} from '../pluginserver/kong-side.js';
import { probe, probeModule } from '../pluginserver/probe-server.js';
import { until } from '../support/until.js';
import { anyBytes, damaged, damages, fuzzed, oddText, split } from './fuzz.js';

const strays: unknown[] = [];
const onStray = (reason: unknown): void => void strays.push(reason);

beforeAll(() => void process.on('unhandledRejection', onStray));
afterAll(() => void process.off('unhandledRejection', onStray));
afterEach(() => expect(strays.splice(0)).toEqual([]));

describe('a plugin server with anything at all on its socket', () => {
  const call = fc.oneof(
    fc
      .tuple(fc.nat(), fc.constantFrom('access', 'response', 'log', ''))
      .map(([id, phase]) => eventCall(3, id, phase)),
    fc.constantFrom('probe', 'other', '').map((name) => startCall(5, name, '{"a":1}')),
    fc
      .tuple(fc.integer({ min: 30, max: 38 }), fc.integer())
      .map(([command, id]) => instanceCall(7, command, id)),
    anyBytes,
  );
  const stream = fc
    .tuple(fc.array(call, { minLength: 1, maxLength: 5 }), fc.oneof(fc.constant([]), damages))
    .map(([payloads, plan]) => damaged(Buffer.concat(payloads.map(frame)), plan));

  it('serves everybody else, and forgets what the stranger did', async () => {
    const module = probeModule({
      async access(kong) {
        await Promise.all([kong.request.getMethod(), kong.request.getHeaders(1000)]);
        await kong.service.request.setHeader('x-probe', '1');
      },
      async response(kong) {
        await kong.response.getStatus();
      },
    });
    const { socketPath, server, log } = await probe(module, { maxFrameBytes: 65_536 });
    const honest = await KongSide.connect(socketPath);
    const id = await honest.start('probe');
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.boolean(),
        async (bytes, places, abort) => {
          const stranger = await KongSide.connect(socketPath);
          // A real instance in some of them, so that events really begin.
          const real = abort ? bytes : Buffer.concat([frame(eventCall(9, id, 'access')), bytes]);
          for (const chunk of split(real, places)) stranger.socket.write(chunk);
          if (abort) stranger.destroy();
          else stranger.socket.end();
          const { end, calls } = await honest.event(id, 'access', answerHonestly);
          expect(end).toBe('returned');
          expect(calls).toHaveLength(3);
          if (!abort) await stranger.closes();
          stranger.destroy();
        },
      ),
      fuzzed(150),
    );
    honest.destroy();
    await until('all connections are gone', () => server.host.connections === 0);
    expect(server.host.eventsInFlight).toBe(0);
    for (const { err } of log.filter(({ event }) => event === 'call_failed'))
      expect(String(err)).toContain('there is no plugin');
  });
});

describe('ping-auth with a Kong that answers anything', () => {
  let provider: Server;
  let asked: string[] = [];
  let url = '';

  beforeAll(async () => {
    useTelemetry(SILENT_TELEMETRY);
    provider = createServer(async (request, response) => {
      const payload = JSON.parse(await text(request));
      asked.push(request.url ?? '');
      const { access_token: _, ...rest } = payload;
      response.end(JSON.stringify(request.url === '/sideband/request' ? { ...rest, state: 'kept' } : rest));
    });
    await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    provider.closeAllConnections();
    provider.close();
  });

  /** Which replies are damaged (by their place in the event), and how. */
  const plans = fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), fc.oneof(damages, oddText, anyBytes)), {
    maxLength: 3,
  });
  const spoil =
    (
      plan: readonly (readonly [number, string | Uint8Array | Parameters<typeof damaged>[1]])[],
      phase: string,
    ) =>
    (call: PdkCall, index: number): Uint8Array | string => {
      const honest = phase === 'access' ? answerHonestly(call) : answerInResponse(call);
      const [, damage] = plan.find(([place]) => place === index) ?? [];
      if (damage === undefined) return honest;
      if (typeof damage === 'string') return textMessage(damage);
      return damage instanceof Uint8Array ? damage : damaged(Buffer.from(honest), damage);
    };

  it.each(['access', 'response'])(
    'goes on in the %s phase only when the policy was asked and permitted',
    async (phase) => {
      const { socketPath, server } = await probe(pingAuth as never, { maxFrameBytes: 1 << 20 });
      const config = { service_url: url, shared_secret: 's', secret_header_name: 'CLIENT-TOKEN' };
      const ends = { returned: 0, refused: 0 };
      const starter = await KongSide.connect(socketPath);
      const id = await starter.start('ping-auth', config);
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          asked = [];
          const kong = await KongSide.connect(socketPath);
          const { end, calls } = await kong.event(id, phase, spoil(plan, phase));
          kong.destroy();
          const methods = calls.map(({ method }) => method);
          const expected = phase === 'access' ? '/sideband/request' : '/sideband/response';
          if (end === 'returned') {
            ends.returned++;
            expect(asked).toEqual([expected]);
            if (phase === 'access') expect(methods).toContain('kong.ctx.shared.set');
          } else {
            ends.refused++;
            // Never by closing: a real Kong would run the event again, without limit.
            expect(end).toBe('exit');
          }
        }),
        fuzzed(120),
      );
      expect(ends.returned).toBeGreaterThan(5);
      expect(ends.refused).toBeGreaterThan(5);
      starter.destroy();
      await until('all connections are gone', () => server.host.connections === 0);
      expect(server.host.eventsInFlight).toBe(0);
    },
  );
});

function answerHonestly({ method, payload }: PdkCall): Uint8Array {
  switch (method) {
    case 'kong.client.get_forwarded_ip':
      return textMessage('192.0.2.7');
    case 'kong.client.get_port':
    case 'kong.request.get_forwarded_port':
      return intMessage(8000);
    case 'kong.request.get_method':
      return textMessage('GET');
    case 'kong.request.get_forwarded_scheme':
      return textMessage('http');
    case 'kong.request.get_forwarded_host':
      return textMessage('api.example');
    case 'kong.request.get_path':
      return textMessage('/things');
    case 'kong.request.get_http_version':
      return HTTP_1_1;
    case 'kong.request.get_headers':
      return structMessage({ host: 'api.example', 'x-two': ['a', 'b'] });
    case 'kong.nginx.get_var':
      return textMessage(payload.includes('kong_request_id') ? 'rid' : '');
    default:
      return new Uint8Array();
  }
}

function answerInResponse({ method }: PdkCall): Uint8Array {
  switch (method) {
    case 'kong.response.get_status':
      return intMessage(200);
    case 'kong.response.get_headers':
      return structMessage({ 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] });
    case 'kong.service.response.get_raw_body':
      return textMessage('hello');
    case 'kong.ctx.shared.get':
      return Buffer.concat([Buffer.from([(3 << 3) | 2]), textMessage(MEMO).subarray(1)]);
    default:
      return new Uint8Array();
  }
}

/** `Number{v: 1.1}` */
const HTTP_1_1 = Buffer.concat([Buffer.from([(1 << 3) | 1]), Buffer.from(Float64Array.of(1.1).buffer)]);
const MEMO = writeRequestContext({
  outcome: 'permit',
  method: 'GET',
  requestId: undefined,
  traceparent: undefined,
  tracestate: undefined,
  target: '"method":"GET","url":"http://api.example:8000/things","http_version":"1.1"',
  kept: '"state":"kept"',
});
