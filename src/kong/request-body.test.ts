import { describe, expect, it } from 'vitest';
import { fakeKong, GET_REQUEST } from '../../test/support/fake-kong.js';
import { PdkCallError } from '../pluginserver/plugin-module.js';
import type { ReadLimits, RequestOwner } from './gateway.js';
import { KongGateway } from './kong-gateway.js';
import { NO_OWNER } from './request-head.js';

/** Memory for a body is reserved as soon as Kong has handed it over, also where nobody has told its length. */

const LIMITS: ReadLimits = { readBody: true, maxBodyBytes: 1e6, overLimit: 'reject', hostLimitsBody: true };

const owner = (grow: (bytes: number) => void): RequestOwner => ({
  ...NO_OWNER,
  memory: { grow, shrink() {} },
});

/** A Kong with a chunked body; asked with a maximum below its length, the host says how long it is. */
function kongWith(length: number) {
  const fake = fakeKong({
    ...GET_REQUEST,
    'kong.request.get_headers': { 'transfer-encoding': 'chunked' },
    'kong.request.get_raw_body': (max: number) => {
      if (length > max) throw new PdkCallError('ERR_BODY_TOO_LARGE', 'too large', { bytes: length });
      return new Uint8Array(length);
    },
  });
  const bodyCalls = () => fake.calls.filter(([method]) => method === 'kong.request.get_raw_body');
  return { gateway: new KongGateway(fake.kong, false), bodyCalls };
}

describe('a body whose length nobody has told', () => {
  it.each([100, 500_000])('is read in one call, and counted then: %i bytes', async (length) => {
    const held: number[] = [];
    const { gateway, bodyCalls } = kongWith(length);
    const { request } = await gateway.readRequest(
      LIMITS,
      owner((bytes) => held.push(bytes)),
    );
    expect([request.body.length, held]).toEqual([length, [length]]);
    expect(bodyCalls().map(([, max]) => max)).toEqual([LIMITS.maxBodyBytes]);
  });

  it('is refused when there is no memory for it', async () => {
    const { gateway, bodyCalls } = kongWith(500_000);
    const hold = (bytes: number) => {
      if (bytes > 0) throw new Error('no memory');
    };
    await expect(gateway.readRequest(LIMITS, owner(hold))).rejects.toThrow('no memory');
    expect(bodyCalls()).toHaveLength(1);
  });

  it('is refused over the limit without a second call', async () => {
    const { gateway, bodyCalls } = kongWith(1_000_001);
    await expect(gateway.readRequest(LIMITS)).rejects.toMatchObject({
      code: 'request_body_too_large',
    });
    expect(bodyCalls()).toHaveLength(1);
  });
});

describe('a host without memory for a reply of Kong', () => {
  const noMemory = new PdkCallError('ERR_NO_MEMORY', "Kong's reply has 100000 bytes");
  const overloaded = { code: 'server_overloaded', status: 503, retryAfterSeconds: 1 };

  it.each(['kong.request.get_headers', 'kong.request.get_raw_body'])(
    'refuses the request: %s',
    async (call) => {
      const headers = { 'content-length': '5' };
      const fake = fakeKong({ ...GET_REQUEST, 'kong.request.get_headers': headers, [call]: noMemory });
      await expect(new KongGateway(fake.kong, false).readRequest(LIMITS)).rejects.toMatchObject(overloaded);
    },
  );

  it.each(['kong.service.response.get_raw_body', 'kong.ctx.shared.get'])(
    'withholds the response: %s',
    async (call) => {
      const fake = fakeKong({
        'kong.response.get_status': 200,
        'kong.response.get_headers': {},
        [call]: noMemory,
      });
      await expect(new KongGateway(fake.kong, false).readResponse()).rejects.toMatchObject(overloaded);
    },
  );
});

describe('a file with the body that the host does not read', () => {
  it.each(['ERR_BODY_PATH', 'ERR_BODY_FILE'] as const)(
    'is a refusal with a code and a remedy of its own: %s',
    async (code) => {
      const fake = fakeKong({
        ...GET_REQUEST,
        'kong.request.get_headers': { 'content-length': '9000' },
        'kong.request.get_raw_body': new PdkCallError(code, 'body file "/etc/shadow" is not one of nginx'),
      });
      const error: unknown = await new KongGateway(fake.kong, false)
        .readRequest(LIMITS)
        .catch((thrown) => thrown);
      expect(error).toMatchObject({
        code: 'request_body_unavailable',
        status: 500,
        detail: 'body file "/etc/shadow" is not one of nginx',
        entry: { level: 'error', failOpenScope: undefined, remedy: expect.stringContaining('--body-dir') },
      });
    },
  );
});
