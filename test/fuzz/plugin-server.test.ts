import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeArguments, encodeReply } from '../../dev/kong/rpc/pb-methods.js';
import { frame } from '../../dev/kong-connection/frames.js';
import { KongConnection } from '../../dev/kong-connection/kong-connection.js';
import {
  eventCall,
  instanceCall,
  type PdkCall,
  startCall,
  textMessage,
} from '../../dev/kong-connection/messages.js';
import {
  PLAIN_GET,
  replyTo,
  requestReplies,
  responseReplies,
} from '../../dev/kong-connection/request-replies.js';
import { type EchoProvider, startEchoProvider } from '../../dev/policy-provider/echo.js';
import * as pingAuth from '../../src/plugin/module.js';
import { useTelemetry } from '../../src/plugin/runtime.js';
import { writeRequestContext } from '../../src/sideband/request-context.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';
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
    const honest = await KongConnection.connect(socketPath);
    const id = await honest.start('probe');
    await fc.assert(
      fc.asyncProperty(
        stream,
        fc.array(fc.nat(), { maxLength: 6 }),
        fc.boolean(),
        async (bytes, places, abort) => {
          const stranger = await KongConnection.connect(socketPath);
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
  let provider: EchoProvider;
  let asked: string[] = [];

  beforeAll(async () => {
    useTelemetry(SILENT_TELEMETRY);
    provider = await startEchoProvider({ onCall: (target) => asked.push(target) });
  });
  afterAll(() => provider.close());

  /** Which replies are damaged (by their place in the event), and how. */
  const plans = fc.array(fc.tuple(fc.integer({ min: 0, max: 15 }), fc.oneof(damages, oddText, anyBytes)), {
    maxLength: 3,
  });
  const spoil =
    (plan: readonly (readonly [number, string | Uint8Array | Parameters<typeof damaged>[1]])[]) =>
    (call: PdkCall, index: number): Uint8Array | string => {
      const honest = answerHonestly(call);
      const [, damage] = plan.find(([place]) => place === index) ?? [];
      if (damage === undefined) return honest;
      if (typeof damage === 'string') return textMessage(damage);
      return damage instanceof Uint8Array ? damage : damaged(Buffer.from(honest), damage);
    };

  it.each(['access', 'response'])(
    'continues in the %s phase only when the policy was asked and permitted',
    async (phase) => {
      const { socketPath, server } = await probe(pingAuth as never, { maxFrameBytes: 1 << 20 });
      const config = { service_url: provider.url, shared_secret: 's', secret_header_name: 'CLIENT-TOKEN' };
      const ends = { returned: 0, refused: 0 };
      const starter = await KongConnection.connect(socketPath);
      const id = await starter.start('ping-auth', config);
      await fc.assert(
        fc.asyncProperty(plans, async (plan) => {
          asked = [];
          const kong = await KongConnection.connect(socketPath);
          const { end, calls } = await kong.event(id, phase, spoil(plan));
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
  return encodeReply(method, replyTo(HONEST, method, decodeArguments(method, payload)?.[0]));
}

const REQUEST_CONTEXT = writeRequestContext({
  outcome: 'permit',
  method: 'GET',
  requestId: undefined,
  traceparent: undefined,
  tracestate: undefined,
  target: '"method":"GET","url":"http://api.example:8000/things","http_version":"1.1"',
  kept: '"state":"kept"',
});
const HONEST = {
  ...requestReplies({
    ...PLAIN_GET,
    ...{ query: '', id: 'rid', headers: { host: 'api.example', 'x-two': ['a', 'b'] } },
  }),
  ...responseReplies(
    200,
    { 'content-type': 'text/plain', 'set-cookie': ['a=1', 'b=2'] },
    Buffer.from('hello'),
  ),
  'kong.ctx.shared.get': REQUEST_CONTEXT,
};
