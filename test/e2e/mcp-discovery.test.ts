// A client that has never been here: from 401 over the metadata and the authorization server to a tool call.
import { createServer } from 'node:http';
import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client';
import { OAuth2Server } from 'oauth2-mock-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listen } from '../../dev/listen.js';
import { type RunningMcpServer, startMcpServer } from '../../dev/mcp/mcp-server.js';
import { checkCommand } from '../../src/cli/check/command.js';
import type { ConfigurationReport } from '../../src/cli/check/finding.js';
import { FakeTerminal } from '../support/fake-terminal.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';

const REDIRECT = 'http://127.0.0.1:1/callback';
const FOREIGN = ['Origin', 'https://evil.example'] as const;
const CLIENT = { client_id: 'agent', redirect_uris: [REDIRECT] };

/** A client's memory, and a user who signs in at once. */
function userSignsIn(): OAuthClientProvider & { code(): string; token(): string | undefined } {
  const saved: Record<string, unknown> = {};
  let location = '';
  return {
    redirectUrl: REDIRECT,
    clientMetadata: { redirect_uris: [REDIRECT], token_endpoint_auth_method: 'none' },
    clientInformation: () => CLIENT,
    tokens: () => saved.tokens as never,
    saveTokens: (tokens) => void Object.assign(saved, { tokens }),
    saveCodeVerifier: (verifier) => void Object.assign(saved, { verifier }),
    codeVerifier: () => String(saved.verifier),
    saveDiscoveryState: (discovery) => void Object.assign(saved, { discovery }),
    discoveryState: () => saved.discovery as never,
    redirectToAuthorization: async (url) => {
      location = (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? '';
    },
    code: () => new URL(location).searchParams.get('code') ?? '',
    token: () => (saved.tokens as { access_token?: string } | undefined)?.access_token,
  };
}

describe.each(HOSTS)('discovery under %s', (host) => {
  const issuer = new OAuth2Server();
  let rig: Rig;
  let server: RunningMcpServer;
  let resource = '';
  const metadata = createServer((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ resource, authorization_servers: [issuer.issuer.url] }));
  });

  beforeAll(async () => {
    await issuer.issuer.keys.generate('RS256');
    await issuer.start(0, '127.0.0.1');
    issuer.issuer.url = `http://127.0.0.1:${issuer.address().port}`;
    const port = await listen(metadata);
    server = await startMcpServer();
    const config = {
      mcp: true,
      mcp_allowed_origins: ['https://app.example'],
      mcp_resource_metadata_url: `http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp`,
    };
    rig = await startRig({
      host,
      routes: [{ paths: ['/mcp'], config, upstream: server.url }],
      rules: [
        {
          name: 'a token first',
          match: { phase: 'request', path: '/mcp', header: { authorization: null } },
          deny: { status: 401, headers: { 'WWW-Authenticate': 'Bearer realm="customers"' } },
        },
        {
          name: 'more rights',
          match: { phase: 'request', header: { 'mcp-name': 'delete_customer' } },
          deny: {
            status: 403,
            headers: { 'WWW-Authenticate': 'Bearer error="insufficient_scope", scope="admin"' },
          },
        },
      ],
    });
    resource = `${rig.kongUrl}/mcp`;
  });
  afterAll(async () => {
    await rig?.close();
    await server?.close();
    await new Promise((done) => metadata.close(done));
    await issuer.stop();
  });

  const check = async (...args: string[]) => {
    const terminal = new FakeTerminal({});
    await checkCommand(terminal).parseAsync(['--json', '--mcp', resource, ...args], { from: 'user' });
    const { configurations } = JSON.parse(terminal.result.stdout) as {
      configurations: ConfigurationReport[];
    };
    return configurations[0]?.findings.map(({ step, status }) => `${step} ${status}`);
  };

  it('a client of the official SDK finds its token and calls a tool', async () => {
    const user = userSignsIn();
    const connect = async () => {
      const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
      const transport = new StreamableHTTPClientTransport(new URL(resource), { authProvider: user });
      return { client, transport, connected: client.connect(transport) };
    };
    const first = await connect();
    await expect(first.connected).rejects.toBeInstanceOf(UnauthorizedError);
    expect(server.received()).toEqual([]);
    await first.transport.finishAuth(user.code());
    expect(user.token()).toMatch(/^eyJ/);
    const { client, connected } = await connect();
    await connected;
    expect((await client.listTools()).tools).toHaveLength(3);
    const received = server.received().at(-1);
    expect(received?.headers.authorization).toBe(`Bearer ${user.token()}`);
    await client.close();

    expect(await check('--token', String(user.token()))).toEqual([
      ...['mcp ok', 'challenge ok', 'metadata ok', 'issuer ok', 'origin ok', 'tools ok'],
    ]);
  });

  it('a step-up says where the metadata is as well', async () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'delete_customer' } };
    const headers = [
      ['Content-Type', 'application/json'],
      ['Authorization', 'Bearer x'],
    ] as const;
    const got = await rig.send({ method: 'POST', path: '/mcp', headers, body: JSON.stringify(call) });
    expect(got.status).toBe(403);
    expect(got.header('www-authenticate')).toMatch(
      /^Bearer resource_metadata="http:[^"]+", error="insufficient_scope", scope="admin"$/,
    );
  });

  it('a foreign web page gets 403, and neither policy nor server hear of it', async () => {
    await rig.clear();
    const before = server.received().length;
    for (const method of ['POST', 'DELETE', 'OPTIONS', 'GET']) {
      const got = await rig.send({ method, path: '/mcp', headers: [FOREIGN, ['Authorization', 'Bearer x']] });
      expect(got.status).toBe(403);
    }
    expect([await rig.providerCalls(), server.received().length]).toEqual([[], before]);
  });
});
