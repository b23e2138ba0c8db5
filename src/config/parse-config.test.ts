import { beforeAll, describe, expect, test } from 'vitest';
import { type Authority, createAuthority, type Identity } from '../../test/support/certificates.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { parseConfig } from './parse-config.js';

const MINIMAL = {
  service_url: 'https://pingaccess.example.com:3020',
  shared_secret: 'test-secret-Zk4',
  secret_header_name: 'CLIENT-TOKEN',
};

let authority: Authority;
let client: Identity;
beforeAll(async () => {
  authority = await createAuthority();
  client = await authority.issueClient('kong');
});

/** The detail of the refusal, which is what an admin reads in the log. */
function refused(changes: Record<string, unknown>): string {
  try {
    parseConfig({ ...MINIMAL, ...changes });
  } catch (error) {
    expect(error).toBeInstanceOf(PingAuthError);
    const { code, detail } = error as PingAuthError;
    expect(code).toBe('config_invalid');
    return detail ?? '';
  }
  throw new Error('the configuration was accepted');
}

describe('what the existing plugin takes', () => {
  test('three fields are enough, and the other four have its defaults', () => {
    expect(parseConfig(MINIMAL)).toMatchObject({
      ...MINIMAL,
      connection_timeout_ms: 10_000,
      connection_keepAlive_ms: 60_000,
      verify_service_certificate: true,
      enable_debug_logging: false,
    });
  });

  test('by default nothing is let through unasked, no circuit opens and nobody else is asked', () => {
    expect(parseConfig(MINIMAL)).toMatchObject({
      mode: 'enforce',
      fail_open_request: false,
      fail_open_response: false,
      circuit_failures: 0,
      failover_service_urls: [],
      allow_http2: false,
      allow_upgrade: false,
    });
  });

  test('scheme and host in capitals, a path, a query and a slash at the end are fine', () => {
    for (const service_url of [
      'HTTPS://PA.Example.com/',
      'http://localhost:3020',
      'https://h/v1/environments/1?a=b',
      'https://[::1]:3020',
    ]) {
      expect(parseConfig({ ...MINIMAL, service_url }).service_url).toBe(service_url);
    }
  });
});

describe('what Kong hands over', () => {
  test('keys that Kong adds are ignored', () => {
    const config = parseConfig({
      ...MINIMAL,
      __seq__: 13,
      __plugin_id: 'x',
      $refs: {},
      route_id: 'r',
      __ws_id: 'w',
    });
    expect(Object.keys(config)).not.toContain('__seq__');
    expect(Object.keys(config)).not.toContain('$refs');
  });

  test('a missing header name has the default that the form of Kong Manager shows', () => {
    for (const secret_header_name of [undefined, null]) {
      const config = parseConfig({ ...MINIMAL, secret_header_name });
      expect(config.secret_header_name).toBe('CLIENT-TOKEN');
    }
  });

  test('null is unset: the default applies', () => {
    const config = parseConfig({ ...MINIMAL, connection_timeout_ms: null, ca_certificate: null, mode: null });
    expect(config.connection_timeout_ms).toBe(10_000);
    expect(config.ca_certificate).toBeUndefined();
    expect(config.mode).toBe('enforce');
  });

  test('an empty Lua table where a list belongs is an empty list', () => {
    expect(parseConfig({ ...MINIMAL, failover_service_urls: {} }).failover_service_urls).toEqual([]);
  });

  test('an unresolvable vault reference, which arrives as an empty string, is refused and named', () => {
    const detail = refused({ shared_secret: '', $refs: { shared_secret: '{vault://env/ping-secret}' } });
    expect(detail).toContain('shared_secret: is empty because the vault reference {vault://env/ping-secret}');
  });

  test.each([
    'ca_certificate',
    'client_key',
    'client_certificate',
    'tls_server_name',
    'service_url',
    'secret_header_name',
  ])('an empty %s is refused, not taken for unset', (field) => {
    expect(refused({ [field]: '' })).toContain(`${field}: is empty`);
  });

  test('an empty number or switch is refused as well', () => {
    expect(refused({ connections: '' })).toMatch(/^connections: is empty/);
    expect(refused({ fail_open_request: '' })).toMatch(/^fail_open_request: is empty/);
  });

  test.each([undefined, null, 'text', 5, []])('%j is not a configuration', (raw) => {
    expect(() => parseConfig(raw)).toThrow(/the configuration is not an object/);
  });

  test('a prototype is not looked into', () => {
    expect(() => parseConfig(Object.create(MINIMAL))).toThrow(/service_url: is missing/);
  });
});

describe('mistakes admins make', () => {
  test('all wrong fields are named at once', () => {
    const detail = refused({ service_url: 'pingaccess', connections: 0, mode: 'maybe' });
    expect(detail).toContain('service_url: must start with https://');
    expect(detail).toContain('connections: must be a whole number from 1 to 4096, not 0');
    expect(detail).toContain('mode: must be one of enforce, monitor, not "maybe"');
  });

  test.each([
    '{vault://env/ping-auth-secret',
    ' {vault://env/ping-auth-secret} x',
    '{ vault://env/ping-auth-secret }',
    '"{vault://env/ping-auth-secret}"',
    '{{vault://env/ping-auth-secret}}',
  ])('%j is no vault reference to Kong, and must not be sent as the secret', (shared_secret) => {
    expect(refused({ shared_secret })).toMatch(
      /^shared_secret: is an incomplete vault reference; write it like/,
    );
  });

  test('a vault reference without braces', () => {
    expect(refused({ shared_secret: 'vault://env/x' })).toMatch(
      /^shared_secret: .* reference without braces/,
    );
    expect(refused({ failover_service_urls: ['{vault://env/b'] })).toMatch(
      /^failover_service_urls\[0\]: is an incomplete vault reference/,
    );
    // A sideband client of PingAccess may be called that: its secret begins with the client's name.
    expect(parseConfig({ ...MINIMAL, shared_secret: 'vault:Zk4' }).shared_secret).toBe('vault:Zk4');
  });

  test('a missing required field', () => {
    expect(refused({ service_url: undefined })).toBe('service_url: is missing; it is required');
  });

  test.each([
    ['https://pa:3020/sideband', 'ends in /sideband; remove everything from /sideband on'],
    ['https://pa:3020/sideband/', 'ends in /sideband/; remove'],
    ['https://pa:3020/x/sideband/request', 'ends in /x/sideband/request; remove'],
    ['https://pa:3020/sideband/response?a=b', 'ends in /sideband/response; remove'],
    ['ftp://pa', 'must start with https://'],
    ['https://', 'must start with https://'],
    ['https:///path', 'must start with https://'],
    ['https://pa:99999', 'is not a valid URL'],
    ['https://pa:3020/#top', 'contains a fragment'],
    ['https://p a', 'contains a space'],
    ['https://pa:3020\n', 'contains a space, line break'],
    ['https:\\\\pa', 'backslash'],
  ])('service_url %j', (service_url, reason) => {
    expect(refused({ service_url })).toContain(reason);
  });

  test('a host or a longer path segment called sideband is not the mistake', () => {
    for (const service_url of ['https://sideband.example.com', 'https://h/sideband-proxy']) {
      expect(parseConfig({ ...MINIMAL, service_url }).service_url).toBe(service_url);
    }
  });

  test('credentials in the URL are refused without repeating them', () => {
    const detail = refused({ service_url: 'https://admin:hunter2@pa:3020' });
    expect(detail).toContain('service_url: contains credentials');
    expect(detail).not.toContain('hunter2');
  });

  test.each([
    ['<client name>:Zk4Zk4', 'placeholder <client name>'],
    ['<Client Name>Zk4Zk4', 'placeholder <client name>'],
    ['Zk4Zk4\n', 'line break'],
    [' Zk4Zk4', 'starts or ends with a space'],
    ['Zk4Zk4é', 'use ASCII only'],
  ])('shared_secret %j is refused without repeating it', (shared_secret, reason) => {
    const detail = refused({ shared_secret });
    expect(detail).toContain(reason);
    expect(detail).not.toContain('Zk4Zk4');
  });

  test.each(['CLIENT TOKEN', 'CLIENT-TOKEN:', 'tökén', 'a\r\nb'])(
    '%j is not a header name',
    (secret_header_name) => {
      expect(refused({ secret_header_name })).toContain('is not a header name');
    },
  );

  test.each(['Host', 'content-length', 'Transfer-Encoding', 'X-Request-Id'])(
    'the secret cannot travel as %s',
    (secret_header_name) => {
      expect(refused({ secret_header_name })).toContain('is a header that the call needs for itself');
    },
  );

  test.each([
    ['call_timeout_ms', 50_001],
    ['call_timeout_ms', 0],
    ['connection_timeout_ms', -1],
    ['connection_timeout_ms', 1.5],
    ['connections', '64'],
    ['circuit_failures', Number.NaN],
    ['max_sideband_response_bytes', Number.POSITIVE_INFINITY],
  ])('%s: %j is not a whole number in range', (field, value) => {
    expect(refused({ [field]: value })).toMatch(new RegExp(`^${field}: must be a whole number`));
  });

  test.each(['connections', 'error_status', 'connection_timeout_ms'])(
    '%s: 2^60 is complained of once',
    (field) => {
      expect(refused({ [field]: 2 ** 60 }).split(' | ')).toHaveLength(1);
    },
  );

  test.each([200, 399, 444, 499, 600, 502.5, '502'])('error_status %j', (error_status) => {
    expect(refused({ error_status })).toContain('error_status: must be a status from 400 to 599');
  });

  test('a switch that is text', () => {
    expect(refused({ verify_service_certificate: 'false' })).toBe(
      'verify_service_certificate: must be true or false',
    );
  });

  test('lists name the entry that is wrong', () => {
    expect(refused({ failover_service_urls: ['https://b', 'b'] })).toMatch(
      /^failover_service_urls\[1\]: must start/,
    );
    expect(refused({ excluded_request_headers: ['x-ok', 'not ok'] })).toMatch(
      /^excluded_request_headers\[1\]: "not ok"/,
    );
    expect(refused({ body_content_types: ['json'] })).toMatch(
      /^body_content_types\[0\]: "json" is not a media type/,
    );
    expect(refused({ body_content_types: 'text/plain' })).toBe(
      'body_content_types: must be a list of strings',
    );
    expect(refused({ failover_service_urls: [''] })).toMatch(
      /^failover_service_urls\[0\]: must not be empty/,
    );
  });

  test('names in lists are brought to lower case', () => {
    const config = parseConfig({
      ...MINIMAL,
      excluded_request_headers: ['X-Debug'],
      body_content_types: ['Application/JSON', 'text/*', '*+json', 'application/*+json'],
    });
    expect(config.excluded_request_headers).toEqual(['x-debug']);
    expect(config.body_content_types).toEqual(['application/json', 'text/*', '*+json', 'application/*+json']);
  });
});

describe('what several fields say together', () => {
  test('a failover provider that is already there', () => {
    const same = { failover_service_urls: ['https://b', 'https://PINGACCESS.example.com:3020/'] };
    expect(refused(same)).toMatch(
      /^failover_service_urls\[1\]: names a policy provider that is already there/,
    );
  });

  test('certificate and key belong together', async () => {
    const other = await authority.issueClient('other');
    const ok = { client_certificate: client.cert, client_key: client.key, ca_certificate: authority.cert };
    const { client_key, client_certificate, ca_certificate } = parseConfig({ ...MINIMAL, ...ok });
    expect([client_key, client_certificate, ca_certificate].map((pem) => pem?.trim())).toEqual(
      [client.key, client.cert, authority.cert].map((pem) => pem.trim()),
    );
    expect(refused({ client_certificate: client.cert })).toMatch(/^client_key: is missing/);
    expect(refused({ client_key: client.key })).toMatch(/^client_certificate: is missing/);
    expect(refused({ ...ok, client_key: other.key })).toMatch(
      /^client_key: does not belong to client_certificate/,
    );
  });

  test('PEM that is not PEM is refused without repeating it', () => {
    const broken = client.key.replace('MIGH', 'XXXX').replaceAll('\n', ' ');
    const detail = refused({
      client_certificate: 'certificate',
      client_key: broken,
      ca_certificate: '-----BEGIN CERTIFICATE-----',
    });
    expect(detail).toContain('client_certificate: holds no certificate; expected PEM text');
    expect(detail).toContain(
      'client_key: holds a private key that cannot be decoded; expected PEM text without a passphrase',
    );
    expect(detail).toContain('ca_certificate: is cut off: it has a BEGIN line without its END line');
    expect(detail).not.toContain(broken.slice(40, 60));
  });

  test('several certificates in one text', () => {
    expect(
      parseConfig({ ...MINIMAL, ca_certificate: `${authority.cert}\n${client.cert}` }).ca_certificate,
    ).toContain('BEGIN');
  });

  test.each(['127.0.0.1', 'https://pa', 'pa:3020', '-pa'])('%j is not a server name', (tls_server_name) => {
    expect(refused({ tls_server_name })).toMatch(/^tls_server_name: (must be|is not) a host name/);
  });
});
