import { parseConfig } from '../../src/config/parse-config.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import type { RequestPayload, ResponsePayload } from '../../src/exchange/sideband-message.js';
import type { Clock } from '../../src/sideband/clock.js';
import {
  type CallContext,
  createSidebandClient,
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

  now(): number {
    return this.time;
  }

  wall(): number {
    return this.date;
  }

  forward(milliseconds: number): void {
    this.time += milliseconds;
    this.date += milliseconds;
  }
}

export interface TestClient extends SidebandClient {
  readonly runtime: SidebandRuntime;
  /** The code the request call ends with, or `permit` / `deny`. */
  outcome(call?: CallContext): Promise<string>;
  /** The error the request call ends with. @throws Error when it gets an answer. */
  failure(call?: CallContext): Promise<PingAuthError>;
}

/** A client with connections of its own, unless `runtime` is shared. */
export function testClient(
  config: Readonly<Record<string, unknown>>,
  {
    runtime = new SidebandRuntime(),
    observer = {},
  }: { runtime?: SidebandRuntime; observer?: SidebandObserver } = {},
): TestClient {
  const parsed = parseConfig({ shared_secret: TEST_SECRET, secret_header_name: 'CLIENT-TOKEN', ...config });
  const client = createSidebandClient(parsed, observer, runtime);
  const outcome = async (call: CallContext = {}) => {
    try {
      return (await client.askAboutRequest(REQUEST, call)).answer.kind;
    } catch (error) {
      return error instanceof PingAuthError ? error.code : String(error);
    }
  };
  const failure = async (call: CallContext = {}) => {
    const result: unknown = await client.askAboutRequest(REQUEST, call).catch((error: unknown) => error);
    if (result instanceof PingAuthError) return result;
    throw new Error(`expected a refusal, got ${JSON.stringify(result)}`);
  };
  return { ...client, runtime, outcome, failure };
}
