import { describe, expect, test } from 'vitest';
import { createAuthority } from '../../test/support/certificates.js';
import { configWarnings } from './config-warnings.js';
import { parseConfig } from './parse-config.js';

const MINIMAL = {
  service_url: 'https://pingaccess.example.com:3020',
  shared_secret: 'test-secret-Zk4',
  secret_header_name: 'CLIENT-TOKEN',
};

describe('warnings', () => {
  const warned = (changes: Record<string, unknown>) =>
    configWarnings(parseConfig({ ...MINIMAL, ...changes }));

  test('none for a sound configuration', () => {
    expect(warned({})).toEqual([]);
    expect(warned({ service_url: 'http://localhost:3020' })).toEqual([]);
    expect(warned({ service_url: 'http://127.0.0.1:3020' })).toEqual([]);
    expect(warned({ service_url: 'http://[::1]:3020' })).toEqual([]);
    expect(warned({ opaque_bodies: 'reject' })).toEqual([]);
  });

  test.each([
    [{ service_url: 'http://pa.example.com' }, /^service_url: http:\/\/ to another machine/],
    [{ failover_service_urls: ['http://10.0.0.1'] }, /^service_url: http:\/\/ to another machine/],
    [{ verify_service_certificate: false }, /^verify_service_certificate: is false/],
    [{ fail_open_request: true }, /^fail_open_request/],
    [{ fail_open_response: true }, /^fail_open_response/],
    [{ mode: 'monitor' }, /^mode: is monitor/],
    [{ opaque_bodies: 'allow_unreadable' }, /^opaque_bodies: is allow_unreadable/],
    [{ connection_timeout_ms: 60_000 }, /^connection_timeout_ms: is over 50000/],
    [{ max_sideband_response_bytes: 1024 }, /^max_sideband_response_bytes: is smaller/],
  ])('%j', (changes, warning) => {
    expect(warned(changes)).toEqual([expect.stringMatching(warning)]);
  });

  test('fail_open_scope: unavailable, where something can fail open', () => {
    expect(warned({ fail_open_scope: 'unavailable' })).toEqual([]);
    expect(warned({ fail_open_scope: 'unavailable', fail_open_response: true })).toEqual([
      expect.stringMatching(/^fail_open_response/),
      expect.stringMatching(/^fail_open_scope: is unavailable, so a client/),
    ]);
  });

  test('an expired certificate', async () => {
    const authority = await createAuthority();
    const config = parseConfig({ ...MINIMAL, ca_certificate: authority.cert });
    expect(configWarnings(config, Date.now() + 90 * 86_400_000)).toEqual([
      expect.stringMatching(/^ca_certificate: CN=Test Authority expired on /),
    ]);
  });
});
