import { HeaderList } from '../../http/headers.js';
import { portOf } from '../../http/request-url.js';
import type { RequestPayload } from '../../sideband/messages.js';
import { bodyMember, composeResponsePayload, describeTarget, payloadText } from '../../sideband/payloads.js';
import { retainedPayload } from '../../sideband/request-context.js';

/** The request about which the policy is asked, as the admin gives it. */
export interface SampleRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The URL is not the admin's but the one below, which hardly a policy knows. */
  readonly isDefault: boolean;
}

export const SAMPLE_URL = 'https://ping-auth-check.invalid/';

/** Documentation addresses (RFC 5737), so that nobody mistakes the call for a client's. */
const SOURCE = { source_ip: '192.0.2.1', source_port: 50_000 };

export function samplePayload({ method, url, headers }: SampleRequest): RequestPayload {
  const given = headers.map(([name, value]) => ({ [name.toLowerCase()]: value }));
  const defaults = [{ host: url.host }, { 'user-agent': 'ping-auth-check' }].filter(
    (pair) => !given.some((other) => Object.keys(other)[0] === Object.keys(pair)[0]),
  );
  return {
    ...SOURCE,
    method,
    url: `${url.protocol}//${url.hostname}:${portOf(url)}${url.pathname}${url.search}`,
    http_version: '1.1',
    headers: [...defaults, ...given],
    body: '',
  };
}

/** What an upstream might have answered, in the answer to which the policy has its say, too. JSON text. */
export function sampleResponse(request: RequestPayload, state: string | undefined): string {
  const target = describeTarget({ method: request.method, httpVersion: request.http_version }, request.url);
  const requestContext = { target, kept: retainedPayload(JSON.stringify(request), state) };
  const headers = HeaderList.from([['content-type', 'application/json']]);
  const body = bodyMember({ kind: 'text', text: '{}' });
  const response = { status: 200, headers, body: Buffer.from('{}') };
  return payloadText(composeResponsePayload(response, requestContext, body));
}
