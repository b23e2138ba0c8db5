import { appendFileSync } from 'node:fs';
import { createLog } from '../../src/telemetry/logger.js';
import { createTelemetry, type Telemetry } from '../../src/telemetry/telemetry.js';

/** Lines as the plugin server writes them to `--log-file`. */
export function logLines(use: (telemetry: Telemetry) => void): string {
  const lines: string[] = [];
  const output = { write: (line: string) => void lines.push(line) };
  use(createTelemetry(createLog({ output, maxLineBytes: Number.MAX_SAFE_INTEGER }), undefined, 'all'));
  return lines.join('');
}

export function appendLog(file: string, use: (telemetry: Telemetry) => void): void {
  appendFileSync(file, logLines(use));
}

const HEADERS = [{ host: 'api.example' }, { accept: 'application/json' }, { authorization: 'Bearer abc' }];

/** A request that goes through both phases, with its messages; the policy changes it on its way. */
export function writeChanged(telemetry: Telemetry, id: string, path = '/orders/7', providerMs = 12.4): void {
  const call = {
    requestId: id,
    provider: 'https://pingaccess.example:3020',
    secretHeaderName: 'CLIENT-TOKEN',
  };
  const request = {
    source_ip: '192.0.2.7',
    source_port: 40_000,
    method: 'POST',
    url: `https://api.example:443${path}?page=1`,
    http_version: '1.1',
    headers: [...HEADERS, { 'x-debug': '1' }],
    body: '{"amount":5,"fee":1}',
  };
  telemetry.sidebandExchange({
    ...call,
    phase: 'access',
    ms: providerMs,
    payload: JSON.stringify(request),
    answer: JSON.stringify({
      ...request,
      headers: [...HEADERS, { 'x-user': 'joe' }],
      body: '{"amount":5}',
      state: 'opaque',
    }),
  });
  telemetry.decision({
    phase: 'access',
    outcome: 'change',
    requestId: id,
    routeId: '1f2e3d4c-0000-4000-8000-000000000001',
    serviceId: '1f2e3d4c-0000-4000-8000-000000000002',
    provider: call.provider,
    providerMs,
    ms: providerMs + 1,
    changed: ['header:x-user', '-header:x-debug', 'body'],
    correlationId: 'c-1',
  });
  const { method, url } = request;
  const response = {
    method,
    url,
    response_code: '200',
    response_status: 'OK',
    headers: [{ 'x-internal': 'db-7' }],
    body: '{"ok":true}',
  };
  telemetry.sidebandExchange({
    ...call,
    phase: 'response',
    ms: 4,
    payload: JSON.stringify(response),
    answer: JSON.stringify({ response_code: 200, headers: [], body: response.body }),
  });
  telemetry.decision({
    phase: 'response',
    outcome: 'change',
    requestId: id,
    status: 200,
    providerMs: 4,
    ms: 5,
    changed: ['-header:x-internal'],
  });
}

/** Refused for want of a policy provider: only the decision line. */
export function writeRefused(telemetry: Telemetry, id: string): void {
  telemetry.decision({
    phase: 'access',
    outcome: 'refuse',
    requestId: id,
    routeId: '9f2e3d4c-0000-4000-8000-000000000009',
    status: 504,
    code: 'provider_timeout',
    detail: 'no answer within 3000 ms',
    provider: 'https://pingaccess.example:3020',
    providerMs: 3000,
    ms: 3001,
  });
}

/** Denied by the policy, with its messages. */
export function writeDenied(telemetry: Telemetry, id: string): void {
  telemetry.sidebandExchange({
    phase: 'access',
    requestId: id,
    provider: 'https://pingaccess.example:3020',
    secretHeaderName: 'CLIENT-TOKEN',
    ms: 8,
    payload: JSON.stringify({
      source_ip: '192.0.2.9',
      source_port: 1,
      method: 'DELETE',
      url: 'https://api.example:443/accounts/7',
      http_version: '1.1',
      headers: HEADERS,
    }),
    answer: JSON.stringify({
      response: {
        response_code: 403,
        headers: [{ 'content-type': 'application/json' }],
        body: '{"error":"forbidden"}',
      },
    }),
  });
  telemetry.decision({ phase: 'access', outcome: 'deny', requestId: id, status: 403, providerMs: 8, ms: 9 });
}
