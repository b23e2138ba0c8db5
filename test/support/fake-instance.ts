import { parseConfig } from '../../src/config/parse-config.js';
import type { RequestChanges, ResponseChanges } from '../../src/directives/decision.js';
import { HeaderList } from '../../src/http/headers.js';
import type { HttpRequest, HttpResponse, ResponseToSend } from '../../src/http/message.js';
import type { Gateway, LogValues, RequestReading } from '../../src/kong/gateway.js';
import { AccessPhase } from '../../src/plugin/access-phase.js';
import { ErrorLogLimiter } from '../../src/plugin/error-log-limiter.js';
import type { PhaseEvent, PluginHost } from '../../src/plugin/host.js';
import { createSetup, type Instance } from '../../src/plugin/instance.js';
import { MemoryBudget } from '../../src/plugin/memory-budget.js';
import { runPhase } from '../../src/plugin/phase-runner.js';
import { ResponsePhase } from '../../src/plugin/response-phase.js';
import type { RequestAnswer, RequestPayload, ResponseAnswer } from '../../src/sideband/messages.js';
import { type Payload, payloadText } from '../../src/sideband/payloads.js';
import type { DecisionRecord } from '../../src/telemetry/decision-log.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';

export const HOST: PluginHost = { kind: 'test' };

export interface FakeInstanceOptions {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly request?: () => RequestAnswer;
  readonly response?: () => ResponseAnswer;
  readonly host?: PluginHost;
}

export function accessPhase(instance: Instance, gateway: Gateway, event: PhaseEvent): Promise<void> {
  return runPhase(new AccessPhase(instance, gateway), instance, event);
}

export function responsePhase(instance: Instance, gateway: Gateway, event: PhaseEvent): Promise<void> {
  return runPhase(new ResponsePhase(instance, gateway), instance, event);
}

/** An instance whose policy provider is two functions; what it decided is in `decisions`. */
export function fakeInstance(
  options: FakeInstanceOptions = {},
): Instance & { decisions: DecisionRecord[]; asked: unknown[] } {
  const decisions: DecisionRecord[] = [];
  const asked: unknown[] = [];
  const config = parseConfig({
    service_url: 'https://pa.example:3020',
    shared_secret: 'test-secret',
    secret_header_name: 'CLIENT-TOKEN',
    ...options.config,
  });
  const answer = <A>(payload: Payload, make: (() => A) | undefined) => {
    asked.push(JSON.parse(payloadText(payload)));
    if (!make) throw new Error('the test expected no call');
    return {
      answer: make(),
      body: Buffer.from('{}'),
      provider: 'https://pa.example:3020',
      durationMs: 1,
      correlationId: undefined,
    };
  };
  return {
    decisions,
    asked,
    telemetry: { ...SILENT_TELEMETRY, decision: (record) => decisions.push(record) },
    errorLog: new ErrorLogLimiter(),
    budget: new MemoryBudget(),
    routeId: 'route-1',
    serviceId: undefined,
    setup: createSetup(
      config,
      {
        evaluateRequest: async (payload) => answer(payload, options.request),
        evaluateResponse: async (payload) => answer(payload, options.response),
        release() {},
      },
      options.host ?? HOST,
      SILENT_TELEMETRY,
    ),
  };
}

/** What the plugin did with Kong, in order. */
export type Deed =
  | {
      readonly did: 'permit';
      readonly changes: RequestChanges;
      readonly requestContext: string;
      readonly log: LogValues | undefined;
    }
  | {
      readonly did: 'refuse' | 'withhold';
      readonly response: ResponseToSend;
      readonly log: LogValues | undefined;
    }
  | { readonly did: 'filter'; readonly changes: ResponseChanges; readonly log: LogValues | undefined };

export interface FakeGateway extends Gateway {
  readonly deeds: Deed[];
}

export const REQUEST: HttpRequest = {
  method: 'GET',
  url: { scheme: 'http', host: 'api.example', port: 8000, path: '/things', query: undefined },
  httpVersion: '1.1',
  headers: HeaderList.from([
    ['host', 'api.example:8000'],
    ['accept', '*/*'],
  ]),
  body: new Uint8Array(0),
  sourceIp: '192.0.2.7',
  sourcePort: 40368,
  clientCertificatePem: undefined,
};

/** What the policy was shown of such a request, as the response phase finds it. */
export const PAYLOAD: RequestPayload = {
  source_ip: '192.0.2.7',
  source_port: 1,
  method: 'GET',
  url: 'http://api.example:8000/things',
  http_version: '1.1',
  headers: [],
  body: '',
};

export const RESPONSE: HttpResponse = {
  status: 200,
  headers: HeaderList.from([['x-up', '1']]),
  body: new TextEncoder().encode('hello'),
};

/** A gateway without Kong. `fails` names deeds that throw, once each. */
export function fakeGateway(
  given: {
    readonly reading?: () => Partial<RequestReading>;
    readonly response?: HttpResponse;
    readonly requestContext?: string | undefined;
    readonly fails?: readonly string[];
  } = {},
): FakeGateway {
  const deeds: Deed[] = [];
  const failing = new Set(given.fails);
  const attempt = async (deed: Deed): Promise<void> => {
    if (failing.delete(deed.did)) throw new Error(`Kong failed at ${deed.did}`);
    deeds.push(deed);
  };
  return {
    deeds,
    readRequest: async (_limits, owner) => {
      owner.identified('rid-1');
      return { request: REQUEST, unreadBody: undefined, ...given.reading?.() };
    },
    permit: (changes, requestContext, log) => attempt({ did: 'permit', changes, requestContext, log }),
    refuse: (response, log) => attempt({ did: 'refuse', response, log }),
    readResponse: async () => ({
      response: given.response ?? RESPONSE,
      requestContext: given.requestContext,
    }),
    filter: (_original, changes, log) => attempt({ did: 'filter', changes, log }),
    withhold: (response, log) => attempt({ did: 'withhold', response, log }),
  };
}
