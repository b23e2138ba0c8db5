import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, type KeyPair } from '../../dev/certificates.js';
import { Closing } from '../../dev/closing.js';
import { kongYml, pluginServerConf, routedService } from '../../dev/kong/config/gateway-config.js';
import { type RunningKong, startKong } from '../../dev/kong/start-kong.js';
import { HTTP_INCLUDE } from '../../dev/kong-connection/request-variable.js';
import type { KongPdk } from '../../src/kong/kong-pdk.js';
import { type RequestHead, RequestHeadReader, readHeadByCalls } from '../../src/kong/request-head.js';
import { dumpOf } from '../../src/pluginserver/dump.js';
import { DEFAULTS } from '../../src/pluginserver/options.js';
import type { PluginModule } from '../../src/pluginserver/plugin-module.js';
import { PluginServer } from '../../src/pluginserver/run-server.js';

/** Answers every request with what each of the two ways saw of it. */
class BothWays {
  readonly #heads = new RequestHeadReader();

  async access(kong: KongPdk): Promise<void> {
    const seen = {
      variable: await kong.nginx.getVar('ping_auth_request'),
      // Twice: what the first request teaches must hold for the next ones.
      byVariable: [await told(this.#heads.read(kong)), await told(this.#heads.read(kong))],
      byCalls: await told(readHeadByCalls(kong)),
    };
    await kong.response.exit(200, Buffer.from(JSON.stringify(seen)), {});
  }
}

async function told(head: Promise<RequestHead>): Promise<unknown> {
  return head.then(
    ({ headers, ...rest }) => ({ ...rest, headers: [...headers].sort() }),
    (error: { code?: unknown }) => ({ refused: error.code }),
  );
}

const MODULE: PluginModule = { Name: 'both', Version: '1.0.0', Priority: 1, Schema: [], Plugin: BothWays };

interface Seen {
  readonly variable: string | undefined;
  readonly byVariable: readonly unknown[];
  readonly byCalls: unknown;
}

describe.each([
  ['no proxy is trusted', {}],
  ['the client is a trusted proxy', { trusted_ips: '127.0.0.1' }],
])('where %s, both ways show the same', (_name, trust) => {
  const closing = new Closing();
  let kong: RunningKong;
  let identity: KeyPair;

  beforeAll(async () => {
    const folder = closing.folder('ways-');
    const authority = await createAuthority();
    const server = await authority.issue();
    identity = await authority.issue();
    const socketPath = join(folder, 's.sock');
    const silent = () => undefined;
    const pluginServer = await PluginServer.start({
      ...DEFAULTS,
      plugins: [MODULE],
      logger: { debug: silent, info: silent, warn: silent, error: silent },
      socketPath,
      takeover: false,
      bodyDirs: [folder],
    });
    closing.add(() => pluginServer.stop(0));
    writeFileSync(join(folder, 'dump.json'), dumpOf([MODULE]));
    kong = await startKong({
      conf: {
        prefix: folder,
        proxy_listen: '127.0.0.1:0, 127.0.0.1:0 ssl',
        ssl_cert: server.cert,
        ssl_cert_key: server.key,
        ...pluginServerConf('both', socketPath, { query: `cat ${join(folder, 'dump.json')}` }),
        nginx_http_include: HTTP_INCLUDE,
        nginx_proxy_ssl_verify_client: 'optional_no_ca',
        ...trust,
      },
      declarativeConfig: kongYml([routedService('s', 'http://127.0.0.1:9', [{ name: 'both' }])]),
    });
    closing.add(() => kong.stop());
  });
  afterAll(() => closing.close());

  it.each<[string, string, string]>([
    ['a plain GET', 'GET /a?x=1 HTTP/1.1', ''],
    ['dots and escapes', 'GET /a%20b/%2e%2e//c/./%C3%A9%2f%25;p?x=%2F&%zz HTTP/1.1', ''],
    ['raw bytes in the query', 'GET /a?q=\xe9\xff HTTP/1.1', ''],
    ['a fragment', 'GET /a/../b#c?d HTTP/1.1', ''],
    ['an empty query', 'GET /a? HTTP/1.1', ''],
    ['an absolute target', 'GET http://elsewhere.example:81/a?x=1 HTTP/1.1', ''],
    ['HTTP/1.0', 'GET /a HTTP/1.0', ''],
    ['an odd version', 'GET /a HTTP/1.01', ''],
    ['an unknown method', 'FOO /a HTTP/1.1', ''],
    ['a separator in the path', 'GET /a\x1fb HTTP/1.1', ''],
    ['a separator in the query', 'GET /a?b\x1fHTTP/1.1\x1fid\x1f HTTP/1.1', ''],
    ['a whole forged value in the query', 'GET /a?ping-auth-1\x1f1.2.3.4\x1f5\x1fGET\x1fhttps HTTP/1.1', ''],
    [
      'X-Forwarded-*',
      'GET /a HTTP/1.1',
      'X-Forwarded-Proto: HTTPS\r\nX-Forwarded-Host: Pub.example:8\r\nX-Forwarded-Port: 444\r\nX-Real-IP: 203.0.113.9\r\n',
    ],
    ['X-Forwarded-Proto twice', 'GET /a HTTP/1.1', 'X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n'],
    ['X_Forwarded_Proto', 'GET /a HTTP/1.1', 'X_Forwarded_Proto: https\r\n'],
    ['a port that is none', 'GET /a HTTP/1.1', 'X-Forwarded-Port: 0\r\n'],
    [
      'a header named like the variable',
      'GET /a?ping_auth_request=1 HTTP/1.1',
      'Ping-Auth-Request: ping-auth-1\r\n',
    ],
  ])('%s', async (_case, line, headers) => {
    const host = line.endsWith('HTTP/1.0') ? '' : 'Host: Api.example:8000\r\n';
    const seen = await ask(kong, `${line}\r\n${host}${headers}Connection: close\r\n\r\n`);
    expect(seen.byVariable).toEqual([seen.byCalls, seen.byCalls]);
  });

  it('a client certificate over TLS', async () => {
    const socket = connectTls({
      port: kong.tlsPort,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ...identity,
    });
    const seen = await ask(kong, 'GET /a HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n', socket);
    expect(seen.byVariable).toEqual([seen.byCalls, seen.byCalls]);
    expect(seen.byCalls).toMatchObject({
      url: { scheme: 'https' },
      clientCertificatePem: expect.stringContaining('BEGIN CERTIFICATE'),
    });
  });
});

/** Sends bytes, one for each character. */
async function ask(kong: RunningKong, request: string, socket = connect(kong.proxyPort)): Promise<Seen> {
  socket.write(Buffer.from(request, 'latin1'));
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  const answer = Buffer.concat(chunks).toString('utf8');
  if (!answer.startsWith('HTTP/1.1 200')) throw new Error(`the stand-in answered ${answer.slice(0, 400)}`);
  const seen = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Seen;
  if (!seen.variable?.startsWith('ping-auth-1')) throw new Error('the variable is not set up');
  return seen;
}
