import { parseConfig } from '../../src/config/parse-config.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { type Clock, SYSTEM_CLOCK } from '../../src/sideband/call-deadline.js';
import type {
  RequestAnswer,
  RequestPayload,
  ResponseAnswer,
  ResponsePayload,
} from '../../src/sideband/messages.js';
import {
  type CallContext,
  type Caller,
  createSidebandClient,
  type Evaluation,
  type SidebandClient,
  type SidebandObserver,
} from '../../src/sideband/sideband-client.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';

export const TEST_SECRET = 'test-secret-sideband-Qw7';

export const REQUEST: RequestPayload = {
  source_ip: '192.0.2.1',
  source_port: 4711,
  method: 'GET',
  url: 'https://api.example.com:443/things?x=1',
  http_version: '1.1',
  headers: [{ host: 'api.example.com' }, { 'x-a': '1' }, { 'x-a': '2' }],
  body: '',
};

export const RESPONSE: ResponsePayload = {
  method: 'GET',
  url: REQUEST.url,
  http_version: '1.1',
  response_code: '200',
  response_status: 'OK',
  headers: [{ 'content-type': 'text/plain' }],
  body: 'hello',
  request: REQUEST,
};

/** A permit that changes nothing. */
export const PERMIT = {
  method: REQUEST.method,
  url: REQUEST.url,
  http_version: '1.1',
  headers: REQUEST.headers,
  body: '',
  source_ip: REQUEST.source_ip,
  source_port: REQUEST.source_port,
};

/** Time that goes forward only when a test says so. */
export class TestClock implements Clock {
  time = 1_000_000;
  date = Date.UTC(2026, 0, 1);
  /** Of the event loop, milliseconds in all. */
  late = 0;

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.date;
  }

  lag(): number {
    return this.late;
  }

  forward(milliseconds: number): void {
    this.time += milliseconds;
    this.date += milliseconds;
  }
}

/** The time of this process, whose event loop is never late: a busy machine must not change what a test is about. */
export const PUNCTUAL_CLOCK: Clock = { ...SYSTEM_CLOCK, lag: () => 0 };

/** A call whose client goes away when the signal is aborted. */
export interface TestCall extends Omit<CallContext, 'caller'> {
  readonly signal?: AbortSignal;
}

export interface TestClient extends Pick<SidebandClient, 'release'> {
  readonly runtime: SidebandRuntime;
  evaluateRequest(payload: RequestPayload, call: TestCall): Promise<Evaluation<RequestAnswer>>;
  evaluateResponse(payload: ResponsePayload, call: TestCall): Promise<Evaluation<ResponseAnswer>>;
  /** The code the request call ends with, or `permit` / `deny`. */
  outcome(call?: TestCall): Promise<string>;
  /** The error the request call ends with. @throws Error when it gets an answer. */
  failure(call?: TestCall): Promise<PingAuthError>;
}

/** A client with connections of its own, unless `runtime` is shared. */
export function testClient(
  config: Readonly<Record<string, unknown>>,
  {
    runtime = new SidebandRuntime(PUNCTUAL_CLOCK),
    observer = {},
  }: { runtime?: SidebandRuntime; observer?: SidebandObserver } = {},
): TestClient {
  const parsed = parseConfig({ shared_secret: TEST_SECRET, secret_header_name: 'CLIENT-TOKEN', ...config });
  const client = createSidebandClient(parsed, observer, runtime);
  const evaluateRequest = (payload: RequestPayload, call: TestCall) =>
    client.evaluateRequest(JSON.stringify(payload), contextOf(call));
  const evaluateResponse = (payload: ResponsePayload, call: TestCall) =>
    client.evaluateResponse(JSON.stringify(payload), contextOf(call));
  const outcome = async (call: TestCall = {}) => {
    try {
      return (await evaluateRequest(REQUEST, call)).answer.kind;
    } catch (error) {
      return error instanceof PingAuthError ? error.code : String(error);
    }
  };
  const failure = async (call: TestCall = {}) => {
    const result: unknown = await evaluateRequest(REQUEST, call).catch((error: unknown) => error);
    if (result instanceof PingAuthError) return result;
    throw new Error(`expected an error, got ${JSON.stringify(result)}`);
  };
  return { release: client.release, runtime, evaluateRequest, evaluateResponse, outcome, failure };
}

function contextOf({ signal, ...call }: TestCall): CallContext {
  return signal === undefined ? call : { ...call, caller: callerOf(signal) };
}

/** As the plugin server tells that an event is over. */
export function callerOf(signal: AbortSignal): Caller {
  let listener: (() => void) | undefined;
  signal.addEventListener('abort', () => listener?.());
  return {
    get over() {
      return signal.aborted;
    },
    onOver(next) {
      listener = next;
      if (signal.aborted) listener?.();
    },
  };
}
