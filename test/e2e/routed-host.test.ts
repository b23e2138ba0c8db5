import { once } from 'node:events';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startUpstream, type Upstream } from '../../dev/upstream/server.js';
import { HOSTS, type Host } from '../support/hosts.js';
import { requestOverHttp2 } from '../support/http2-client.js';
import { type Rig, startRig } from '../support/rig.js';

const MANY = Array.from({ length: 100 }, (_, i) => `x-${i}: 1\r\n`).join('');

/** Requests whose `$host` is public.example while Kong's router sees another host, or none. */
const ATTACKS: readonly (readonly [what: string, head: string])[] = [
  ['a Host in capitals', 'GET /admin HTTP/1.1\r\nHost: PUBLIC.example\r\n'],
  ['a trailing dot', 'GET /admin HTTP/1.1\r\nHost: public.example.\r\n'],
  ['a colon without a port', 'GET /admin HTTP/1.1\r\nHost: public.example:\r\n'],
  ['a port that is none', 'GET /admin HTTP/1.1\r\nHost: public.example:80x\r\n'],
  ['an absolute target without Host', 'GET http://public.example/admin HTTP/1.0\r\n'],
  [
    'an absolute target beside another Host',
    'GET http://public.example/admin HTTP/1.1\r\nHost: other.example\r\n',
  ],
  ['a Host behind 100 other headers', `GET /admin HTTP/1.1\r\n${MANY}Host: public.example\r\n`],
];
const ATTACKS_OVER_HTTP2: readonly (readonly [
  what: string,
  pairs: readonly (readonly [string, string])[],
])[] = [
  ['an :authority in capitals with a port', [[':authority', 'PUBLIC.example:1234']]],
  ['an :authority with a trailing dot', [[':authority', 'public.example.']]],
  [
    'a host header behind 100 others, without :authority',
    [...Array.from({ length: 100 }, (_, i) => [`x-${i}`, '1'] as const), ['host', 'public.example']],
  ],
];

/** With the nginx variable and without it: both readers of the request's head have to see it. */
const VARIABLE = {
  nginx_http_include: fileURLToPath(new URL('../../kong/nginx/ping-auth-http.conf', import.meta.url)),
};
const CASES: readonly (readonly [Host, string, Readonly<Record<string, string>>])[] = [
  ...HOSTS.map((host) => [host, 'calls', {}] as const),
  ['ping-auth-pluginserver', 'the nginx variable', VARIABLE],
];

describe.each(CASES)('the host that Kong routes by, under %s with %s', (host, _how, conf) => {
  let rig: Rig;
  let publicUpstream: Upstream;
  const start = (config: Readonly<Record<string, unknown>>) =>
    startRig({
      host,
      config: { allow_http2: true, ...config },
      kong: { proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl http2', ...conf },
      routes: [{ paths: ['/'], hosts: ['public.example'], config: {}, upstream: publicUpstream.url }],
    });
  beforeAll(async () => {
    publicUpstream = await startUpstream();
    rig = await start({});
  });
  afterAll(async () => {
    await rig?.close();
    await publicUpstream?.close();
  });

  const isAskedAbout = async () =>
    (await rig.providerCalls()).map(({ payload }) => (payload as { url: string }).url);

  it.each(ATTACKS)('%s: 400, and no provider is asked', async (_what, head) => {
    await rig.clear();
    expect(await statusOf(rig.kongUrl, head)).toBe(400);
    expect([rig.upstreamRequests(), await rig.providerCalls()]).toEqual([[], []]);
  });

  it.each(ATTACKS_OVER_HTTP2)('HTTP/2, %s: 400, and no provider is asked', async (_what, pairs) => {
    await rig.clear();
    expect(await statusOverHttp2(rig, pairs)).toBe(400);
    expect([rig.upstreamRequests(), await rig.providerCalls()]).toEqual([[], []]);
  });

  it.each([
    ['the host', 'GET /x HTTP/1.1\r\nHost: public.example\r\n'],
    ['the host with a port', 'GET /x HTTP/1.1\r\nHost: public.example:8443\r\n'],
    [
      'an absolute target that says the same',
      'GET http://public.example/x HTTP/1.1\r\nHost: public.example\r\n',
    ],
    ['a Host before 100 other headers', `GET /x HTTP/1.1\r\nHost: public.example\r\n${MANY}`],
  ])('%s: routed as the policy is told', async (_what, head) => {
    await rig.clear();
    publicUpstream.clear();
    expect(await statusOf(rig.kongUrl, head)).toBe(200);
    expect(publicUpstream.requests).toHaveLength(1);
    expect(rig.upstreamRequests()).toEqual([]);
    expect((await isAskedAbout())[0]).toMatch(/^http:\/\/public\.example:/);
  });

  it('no host at all: routed by none, and the policy is told the name of nginx', async () => {
    await rig.clear();
    expect(await statusOf(rig.kongUrl, 'GET /x HTTP/1.0\r\n')).toBe(200);
    expect(rig.upstreamRequests()).toHaveLength(1);
    expect((await isAskedAbout())[0]).toMatch(/^http:\/\/kong:/);
  });

  // Monitor mode changes nothing, so this is what Kong does with such a request.
  it('without the check each of them reaches the other service', async () => {
    const open = await start({ mode: 'monitor' });
    try {
      publicUpstream.clear();
      for (const [what, head] of ATTACKS)
        expect([what, await statusOf(open.kongUrl, head)]).toEqual([what, 200]);
      for (const [what, pairs] of ATTACKS_OVER_HTTP2)
        expect([what, await statusOverHttp2(open, pairs)]).toEqual([what, 200]);
      expect(open.upstreamRequests()).toHaveLength(ATTACKS.length + ATTACKS_OVER_HTTP2.length);
      expect(publicUpstream.requests).toEqual([]);
    } finally {
      await open.close();
    }
  });
});

async function statusOf(url: string, head: string): Promise<number> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(`${head}Connection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (data: Buffer) => {
    text += data.toString('latin1');
  });
  await once(socket, 'close');
  return Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]);
}

async function statusOverHttp2(rig: Rig, pairs: readonly (readonly [string, string])[]): Promise<number> {
  // Node adds an :authority unless there is a host header.
  const headers = { ':path': '/admin', ...Object.fromEntries(pairs) };
  return (await requestOverHttp2(rig.kongTlsUrl ?? '', rig.ca, headers)).status;
}
