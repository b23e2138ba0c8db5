import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kongPath } from '../../dev/kong/http/uri.js';
import { requestVariable } from '../../dev/kong-connection/request-variable.js';
import { fakeKong, GET_REQUEST, GET_VARIABLES } from '../../test/support/fake-kong.js';
import { decodeLossless, encodeLossless } from '../http/text.js';
import { RequestHeadReader, readHeadByCalls } from './request-head.js';

interface Recorded {
  readonly calls: Readonly<Record<string, unknown>>;
  readonly variables: Readonly<Record<string, string>>;
}

/** From a running Kong 3.9.3: what the calls and what nginx's variables said about the same request. */
const RECORDED: Readonly<Record<string, Recorded>> = JSON.parse(
  readFileSync(new URL('../../test/fixtures/kong-3.9.3/request-heads.json', import.meta.url), 'utf8'),
);

const VARIABLE_CALL = 'kong.nginx.get_var(ping_auth_request)';

/** The same request seen by a Kong with the variable. */
function withVariable(changed: Readonly<Record<string, string | number>> = {}, calls: object = {}) {
  return fakeKong({
    ...GET_REQUEST,
    [VARIABLE_CALL]: requestVariable({ ...GET_VARIABLES, ...changed }),
    ...calls,
  });
}

function methods(calls: readonly (readonly unknown[])[]): unknown[] {
  return calls.map(([method, name]) => (method === 'kong.nginx.get_var' ? `${method}(${name})` : method));
}

describe('with the variable', () => {
  it('costs two calls in one round trip once the port is known', async () => {
    const fake = withVariable();
    const reader = new RequestHeadReader();
    const first = await reader.read(fake.kong);
    expect(methods(fake.calls)).toEqual([
      VARIABLE_CALL,
      'kong.request.get_headers',
      'kong.request.get_forwarded_port',
    ]);
    fake.calls.length = 0;
    fake.roundTrips.length = 0;
    expect(await reader.read(fake.kong)).toEqual(first);
    expect(methods(fake.calls)).toEqual([VARIABLE_CALL, 'kong.request.get_headers']);
    expect(fake.roundTrips).toHaveLength(1);
  });

  it('asks Kong about X-Forwarded-*, the second time together with the rest', async () => {
    const headers = { ...GET_REQUEST['kong.request.get_headers'], 'x-forwarded-proto': 'https' };
    const fake = withVariable(
      {},
      { 'kong.request.get_headers': headers, 'kong.request.get_forwarded_scheme': 'https' },
    );
    const reader = new RequestHeadReader();
    expect((await reader.read(fake.kong)).url.scheme).toBe('https');
    fake.roundTrips.length = 0;
    expect((await reader.read(fake.kong)).url.scheme).toBe('https');
    expect(fake.roundTrips).toHaveLength(1);
    expect(fake.roundTrips[0]).toHaveLength(3);
  });

  it('does not keep the port that a proxy named for one request', async () => {
    const reader = new RequestHeadReader();
    const named = withVariable(
      {},
      {
        'kong.request.get_headers': { host: 'api.example', 'x-forwarded-host': 'other.example:9' },
        'kong.request.get_forwarded_host': 'other.example',
        'kong.request.get_forwarded_port': 9,
      },
    );
    expect((await reader.read(named.kong)).url).toMatchObject({ host: 'other.example', port: 9 });
    expect((await reader.read(withVariable().kong)).url).toMatchObject({ host: 'api.example', port: 8000 });
  });

  it("shows a listener's port as Kong's port_maps map it", async () => {
    const reader = new RequestHeadReader();
    const mapped = withVariable({}, { 'kong.request.get_forwarded_port': 80 });
    for (let i = 0; i < 2; i++) expect((await reader.read(mapped.kong)).url.port).toBe(80);
    const other = withVariable({ server_port: 8443 }, { 'kong.request.get_forwarded_port': 443 });
    expect((await reader.read(other.kong)).url.port).toBe(443);
  });
});

describe('without the variable', () => {
  it.each([
    ['an unknown one comes back empty', undefined],
    ['a file of another version', requestVariable(GET_VARIABLES).replace('ping-auth-1', 'ping-auth-2')],
    ['a file whose separators were lost', requestVariable(GET_VARIABLES).replaceAll('\u001f', '')],
  ])('%s: twelve calls from the second request on', async (_name, text) => {
    const fake = fakeKong({ ...GET_REQUEST, [VARIABLE_CALL]: text });
    const reader = new RequestHeadReader();
    const expected = await readHeadByCalls(fakeKong(GET_REQUEST).kong);
    expect(await reader.read(fake.kong)).toEqual(expected);
    fake.calls.length = 0;
    fake.roundTrips.length = 0;
    expect(await reader.read(fake.kong)).toEqual(expected);
    expect(fake.calls).toHaveLength(12);
    expect(fake.roundTrips).toHaveLength(1);
  });
});

/** Kong's router compares the Host header as it was written. */
const ROUTED_BY_ANOTHER = new Set(['host_upper_case_route_by_path']);

describe('both ways give the same head', () => {
  it.each(Object.entries(RECORDED))('recorded on Kong 3.9.3: %s', async (name, { calls, variables }) => {
    const certificate = variables.ssl_client_raw_cert;
    const kong = {
      ...calls,
      'kong.request.get_host': variables.host,
      'kong.nginx.get_var(ssl_client_raw_cert)': certificate,
      'kong.nginx.get_var(kong_request_id)': GET_VARIABLES.kong_request_id,
      'kong.nginx.get_var(server_name)': 'kong',
    };
    const text = requestVariable({
      ...variables,
      // Not recorded; it is what get_port reads.
      realip_remote_port: calls['kong.client.get_port'] as number,
      kong_request_id: GET_VARIABLES.kong_request_id,
    });
    const fake = fakeKong({ ...kong, [VARIABLE_CALL]: text });
    const reading = new RequestHeadReader().read(fake.kong);
    if (ROUTED_BY_ANOTHER.has(name)) {
      const refused = { code: 'request_unreadable' };
      await expect(reading).rejects.toMatchObject(refused);
      await expect(readHeadByCalls(fakeKong(kong).kong)).rejects.toMatchObject(refused);
      return;
    }
    const head = await reading;
    expect(head).toEqual(await readHeadByCalls(fakeKong(kong).kong));
    expect(head.clientCertificatePem).toBe(certificate);
    // That it was really read from the variable, and not by falling back.
    expect(methods(fake.calls)).not.toContain('kong.request.get_method');
  });

  it.each<[string, Record<string, string | number>]>([
    ['a separator in the path', { request_uri: '/a\u001f/b', args: '' }],
    ['separators that try to supply fields', { args: 'x\u001fHTTP/1.1\u001fid\u001f' }],
    ['a separator in the host', { host: 'api\u001f.example' }],
    ['a separator in the method', { request_method: 'GET\u001f' }],
    ['a client on a unix socket', { remote_addr: 'unix:', realip_remote_port: '' }],
    ['a version that only Kong can judge', { server_protocol: 'HTTP/1.01' }],
    ['no version', { server_protocol: '' }],
    ['a target without a slash', { request_uri: 'x' }],
    ['a port that is none', { server_port: 'http' }],
    ['no method', { request_method: '' }],
  ])('%s: the variable is not trusted, the calls tell', async (_name, changed) => {
    const fake = withVariable(changed);
    const reader = new RequestHeadReader();
    expect(await reader.read(fake.kong)).toEqual(await readHeadByCalls(fakeKong(GET_REQUEST).kong));
    expect(methods(fake.calls)).toContain('kong.request.get_method');
    // And the next request is read from the variable again: no client can switch it off.
    const next = withVariable();
    await reader.read(next.kong);
    expect(methods(next.calls)).not.toContain('kong.request.get_method');
  });

  it.each([
    'x-forwarded-proto',
    'X-Forwarded-Proto',
    'x_forwarded_proto',
    'x-forwarded_host',
    'x_forwarded-port',
  ])('%s: whatever Kong makes of it', async (name) => {
    const calls = {
      'kong.request.get_headers': { host: 'api.example', [name]: 'whatever' },
      'kong.request.get_forwarded_scheme': name.toLowerCase().includes('proto') ? 'HTTPS' : 'http',
      'kong.request.get_forwarded_host': name.includes('host') ? 'other.example' : 'api.example',
      'kong.request.get_forwarded_port': /host|port/.test(name) ? 4711 : 8000,
    };
    const expected = await readHeadByCalls(fakeKong({ ...GET_REQUEST, ...calls }).kong);
    const reader = new RequestHeadReader();
    for (let i = 0; i < 2; i++) expect(await reader.read(withVariable({}, calls).kong)).toEqual(expected);
  });

  it('any request target: the same URL or the same refusal', async () => {
    const piece = fc.constantFrom(
      ...['/', '//', '/.', '/..', '.', '%2e', '%2E%2e', '%2f', '%2F', '%25', '%23', '%3f', '%00', '%', '%z'],
      ...['%C3%A9', '%e9', '%20', ' ', '#', '?', '\\', '"', '<', '|', '^', '`', '{', 'é', 'a', ';p=1', '+'],
      ...['\t', '\u007f', '%1f', '%7E', '~', '[', '&', '=', '\udce9'],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 12 }), fc.string(), async (pieces, query) => {
        const path = `/${pieces.join('').replaceAll('?', '')}`;
        const args = query.replaceAll('\u001f', '').replaceAll('#', '');
        const calls = {
          ...GET_REQUEST,
          'kong.request.get_path': asKong(path),
          'kong.request.get_raw_query': args,
        };
        const text = requestVariable({ ...GET_VARIABLES, request_uri: `${path}?${args}`, args });
        const both = await Promise.allSettled([
          new RequestHeadReader().read(fakeKong({ ...calls, [VARIABLE_CALL]: text }).kong),
          readHeadByCalls(fakeKong(calls).kong),
        ]);
        expect(both[0]).toEqual(both[1]);
      }),
      { numRuns: 500 },
    );
  });
});

/** Kong's path for a target; the stand-in's function wants one character per byte. */
function asKong(path: string): string {
  return decodeLossless(
    Buffer.from(kongPath(Buffer.from(encodeLossless(path)).toString('latin1')), 'latin1'),
  );
}
