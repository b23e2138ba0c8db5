import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAuthority } from '../../dev/certificates.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { CERTIFICATES, PRIVATE_KEY } from '../../src/config/pem.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { certificateToJwk } from '../../src/sideband/client-certificate.js';
import { damaged, damages, fuzzed, oddText } from './fuzz.js';
import { damagedJson, jsonDamages } from './json-damage.js';

const authority = await createAuthority();
const leaf = await authority.issue();
const SECRET = 'fuzz-secret-5d1c';

const pem = fc.oneof(
  fc
    .tuple(fc.constantFrom(leaf.cert, leaf.cert + authority.cert, leaf.key), damages)
    .map(([text, plan]) => damaged(Buffer.from(text), plan).toString('latin1')),
  oddText,
);

describe('certificates and keys', () => {
  it('are read or refused, whatever text is in their place', () => {
    fc.assert(
      fc.property(pem, (text) => {
        for (const problem of [CERTIFICATES.check(text), PRIVATE_KEY.check(text)]) {
          if (problem !== undefined) expect(problem).toMatch(/PEM/);
        }
        try {
          const { kty, x5c } = certificateToJwk(text);
          expect(kty).toMatch(/^(RSA|EC|OKP)$/);
          expect(x5c.length).toBeGreaterThan(0);
        } catch (error) {
          // A certificate that cannot be shown is no reason to continue as if there were none.
          expect(error).toMatchObject({ name: 'PingAuthError', code: 'request_unreadable' });
        }
      }),
      fuzzed(250),
    );
  });
});

describe('a configuration, damaged', () => {
  const given = {
    service_url: 'https://pa.example:3020/base?tenant=1',
    failover_service_urls: ['https://pb.example:3020'],
    shared_secret: SECRET,
    secret_header_name: 'CLIENT-TOKEN',
    connection_timeout_ms: 500,
    verify_service_certificate: true,
    ca_certificate: authority.cert,
    max_request_body_bytes: 1000,
    body_content_types: ['text/*'],
    mode: 'enforce',
    fail_open_request: false,
    $refs: { shared_secret: '{vault://env/x}' },
    route_id: 'r',
  };

  it('is read or refused with config_invalid, and an error never shows the secret', () => {
    fc.assert(
      fc.property(jsonDamages, (plan) => {
        const json = damagedJson(given, plan);
        let raw: unknown;
        try {
          raw = JSON.parse(json);
        } catch {
          return;
        }
        try {
          const config = parseConfig(raw);
          expect(config.shared_secret.length).toBeGreaterThan(0);
          expect(new URL(config.service_url).protocol).toMatch(/^https?:$/);
          // What opens a gateway is opened by a plain true and by nothing that resembles it.
          const { mode, fail_open_request: open } = raw as typeof given;
          expect(config.fail_open_request).toBe(open ?? false);
          expect(config.mode).toBe(mode ?? 'enforce');
        } catch (error) {
          if (!(error instanceof PingAuthError)) throw error;
          expect(error.code).toBe('config_invalid');
          // Another field shows what was pasted into it: that is what an admin has to see.
          const isInPlace =
            (raw as typeof given | null)?.shared_secret === SECRET && json.split(SECRET).length === 2;
          if (isInPlace) expect(error.message).not.toContain(SECRET);
        }
      }),
      fuzzed(600),
    );
  });
});
