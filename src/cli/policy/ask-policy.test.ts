import { afterEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../config/parse-config.js';
import { createPolicy, type DescribedRequest, type Policy } from './ask-policy.js';

let policy: Policy | undefined;
afterEach(() => policy?.close());

const REQUEST: DescribedRequest = {
  method: 'POST',
  url: 'https://api.example/things',
  httpVersion: '1.1',
  headers: [['content-type', 'application/json']],
  body: Buffer.from('{}'),
  sourceIp: '192.0.2.7',
  sourcePort: 40_368,
  clientCertificatePem: undefined,
};

const ask = (config: object, request: Partial<DescribedRequest> = {}) => {
  policy = createPolicy(
    // Nobody listens there.
    parseConfig({
      service_url: 'http://127.0.0.1:1',
      shared_secret: 's',
      secret_header_name: 'CLIENT-TOKEN',
      ...config,
    }),
  );
  return policy.evaluateRequest({ ...REQUEST, ...request }, 'rid-1');
};

describe('a refusal of the plugin itself has the status that the client gets', () => {
  it('502, or error_status', async () => {
    expect(await ask({})).toMatchObject({ kind: 'refuse', status: 502, code: 'provider_unreachable' });
    await policy?.close();
    expect(await ask({ error_status: 503 })).toMatchObject({ kind: 'refuse', status: 503 });
  });

  it('that of the one fault, where a code has several', async () => {
    const text = { headers: [['content-type', 'text/plain; charset=utf-8']] as const };
    expect(await ask({ error_status: 503 }, { ...text, body: Uint8Array.of(0xff) })).toMatchObject({
      status: 400,
      code: 'request_body_unreadable',
    });
  });
});
