// Agents and MCP servers on the official SDK, through the Kong stand-in and the plugin server.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type AgentOptions, connectAgent } from '../../dev/mcp/agent.js';
import { CUSTOMER, type RunningMcpServer, startMcpServer } from '../../dev/mcp/mcp-server.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { answerPath } from '../../dev/upstream/answers.js';
import { builtPluginServer } from '../support/built-plugin-server.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';
import { until } from '../support/until.js';

const JSON_TYPE = ['Content-Type', 'application/json'] as const;
const CALL = {
  jsonrpc: '2.0',
  id: 'c1',
  method: 'tools/call',
  params: { name: 'read_customer', arguments: { id: 4711 } },
};

const RULES: RuleInput[] = [
  {
    name: 'no deleting',
    match: { phase: 'request', header: { 'mcp-method': 'tools/call', 'mcp-name': 'delete_customer' } },
    deny: {
      status: 403,
      headers: { 'content-type': 'application/json' },
      json: { message: 'Ask a person.' },
    },
  },
  {
    name: 'a token first',
    match: { phase: 'request', header: { 'x-no-token': '*' } },
    deny: { status: 401, headers: { 'www-authenticate': 'Bearer' }, body: '' },
  },
  {
    name: 'no export in the list',
    match: { phase: 'response', request: { header: { 'mcp-method': 'tools/list' } } },
    rewrite: {
      json: {
        jsonrpc: '2.0',
        id: '{{json.id}}',
        result: { tools: ['{{json.result.tools.0}}', '{{json.result.tools.1}}'] },
      },
    },
  },
  {
    name: 'no account numbers',
    match: { phase: 'response', request: { header: { 'mcp-name': 'read_customer' } } },
    rewrite: {
      json: { jsonrpc: '2.0', id: '{{json.id}}', result: { content: [{ type: 'text', text: '***' }] } },
    },
  },
];

describe.each(HOSTS)('MCP under %s', (host) => {
  let rig: Rig;
  const servers: Record<string, RunningMcpServer> = {};

  beforeAll(async () => {
    servers.stream = await startMcpServer();
    servers.json = await startMcpServer({ answers: 'json' });
    const { stream, json } = servers;
    const mcp = { mcp: true };
    rig = await startRig({
      host,
      rules: RULES,
      routes: [
        { paths: ['/stream'], config: mcp, upstream: stream.url },
        { paths: ['/json'], config: mcp, upstream: json.url },
        { paths: ['/http'], config: { ...mcp, mcp_denials: 'http' }, upstream: stream.url },
        { paths: ['/monitor'], config: { ...mcp, mode: 'monitor' }, upstream: stream.url },
        { paths: ['/told'], config: mcp },
        { paths: ['/down'], config: { ...mcp, service_url: 'https://127.0.0.1:1' } },
      ],
    });
  });
  afterAll(async () => {
    await rig?.close();
    for (const server of Object.values(servers)) await server.close();
  });
  beforeEach(() => rig.clear());

  const connect = (path: string, options?: AgentOptions) => connectAgent(`${rig.kongUrl}${path}`, options);
  const post = (path: string, message: unknown, headers: readonly (readonly [string, string])[] = []) =>
    rig.send({
      method: 'POST',
      path,
      headers: [JSON_TYPE, ['Accept', 'application/json, text/event-stream'], ...headers],
      body: typeof message === 'string' ? message : JSON.stringify(message),
    });
  /** What the server sent to the gateway as the response to a raw message. */
  const told = (body: string, type = 'text/event-stream', status = 200) =>
    `/told${answerPath({ status, headers: [['Content-Type', type]], body })}`;

  it.each(['stream', 'json'])(
    'an agent gets what the policy lets through of a server with %s',
    async (kind) => {
      const server = servers[kind];
      const ran = server?.ran().length ?? 0;
      const types: (string | null)[] = [];
      const agent = await connect(`/${kind}`, {
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          if (String(init?.body).includes('"tools/')) types.push(response.headers.get('content-type'));
          return response;
        },
      });
      expect(await agent.toolNames()).toEqual(['read_customer', 'delete_customer']);
      expect(await agent.call('read_customer', { id: 4711 })).toEqual({ text: '***' });
      expect(await agent.call('delete_customer', { id: 4711 })).toEqual({
        error: 'MCP error 403: Ask a person.',
        code: 403,
      });
      expect(await agent.call('export_customers')).toEqual({ text: JSON.stringify([CUSTOMER]) });
      const { contents } = await agent.client.readResource({ uri: 'customer://4711' });
      expect(contents).toHaveLength(1);
      await agent.close();

      expect(server?.ran().slice(ran)).toEqual(['read_customer', 'export_customers']);
      expect(types.every((type) => type?.startsWith('application/json'))).toBe(true);
      const received = server?.received() ?? [];
      expect(received.some(({ method }) => method === 'DELETE')).toBe(true);
      // What was made for the policy's eyes stays here; GET never gets there.
      for (const { method, headers } of received) {
        expect(method).not.toBe('GET');
        expect(Object.keys(headers).join()).not.toMatch(/mcp-(method|name)/);
      }
      const calls = (await rig.providerCalls()).filter(({ phase }) => phase === 'request');
      expect(calls.length).toBeGreaterThan(6);
    },
  );

  it('a denial stays HTTP where HTTP means something or is wanted', async () => {
    await expect(connect('/stream', { headers: { 'x-no-token': '1' } })).rejects.toMatchObject({ code: 401 });
    const deleting = { ...CALL, params: { name: 'delete_customer' } };
    const got = await post('/http', deleting);
    expect([got.status, got.json()]).toEqual([403, { message: 'Ask a person.' }]);
    expect((await post('/stream', { ...deleting, id: undefined })).status).toBe(403);
  });

  it.each<[string, unknown, string, number, string | undefined]>([
    ['a batch', [CALL], '', -32600, undefined],
    ['a member twice', JSON.stringify(CALL).replace('{', '{"id":"c1",'), '', -32700, undefined],
    ['Name', { ...CALL, params: { Name: 'x', ...CALL.params } }, '', -32600, 'c1'],
    ['another name in the header', CALL, 'delete_customer', -32020, 'c1'],
  ])('%s is refused, and neither policy nor server hear of it', async (_what, message, name, code, id) => {
    const before = servers.stream?.received().length;
    const got = await post('/stream', message, name === '' ? [] : [['Mcp-Name', name]]);
    expect([got.status, got.header('content-type')]).toEqual([400, 'application/json']);
    const { error, id: known } = got.json() as { error: { code: number }; id?: string };
    expect([error.code, known]).toEqual([code, id]);
    expect(await rig.providerCalls()).toEqual([]);
    expect(servers.stream?.received().length).toBe(before);
  });

  it('a stream is not offered', async () => {
    const got = await rig.send({ path: '/stream', headers: [['Accept', 'text/event-stream']] });
    expect([got.status, got.header('allow')]).toEqual([405, 'POST, DELETE, OPTIONS']);
    expect(await rig.providerCalls()).toEqual([]);
  });

  it('the headers of a client pass unchanged', async () => {
    const headers = [
      ['Mcp-Method', 'tools/call'],
      ['Mcp-Name', `=?base64?${btoa('other_tool')}?=`],
    ] as const;
    const body = '{"jsonrpc":"2.0","id":"c1","result":{}}';
    const got = await post(
      told(body, 'application/json'),
      { ...CALL, params: { name: 'other_tool' } },
      headers,
    );
    expect(got.text()).toBe(body);
    expect(rig.upstreamRequests()[0]?.headers).toEqual(expect.arrayContaining([headers[1]]));
    const [asked] = await rig.providerCalls();
    expect(asked?.payload).toMatchObject({
      headers: expect.arrayContaining([{ 'mcp-name': 'other_tool' }]),
    });
  });

  it('what is no response to the message is withheld', async () => {
    const result = '{"jsonrpc":"2.0","id":"c1","result":{"secret":4711}}';
    for (const path of [
      told(`data: ${result.replace('c1', 'c2')}\n\n`),
      told(`data: ${result}\n\ndata: ${result}\n\n`),
      told(`data: ${result}\n`),
      told(result.replace('{', '{"id":"c1",'), 'application/json'),
      told(result, 'text/plain'),
    ]) {
      const got = await post(path, CALL);
      expect([got.status, got.json()]).toMatchObject([502, { id: 'c1', error: { code: -32603 } }]);
      expect(got.text()).not.toContain('4711');
    }
    expect((await rig.providerCalls()).map(({ phase }) => phase)).not.toContain('response');
  });

  it('a denied response reaches the agent as an error, whole and with nothing of it', async () => {
    await rig.setRules([
      {
        name: 'not this one',
        match: { phase: 'response' },
        rewrite: { status: 403, json: { message: 'Not this customer.' } },
      },
    ]);
    const long = JSON.stringify({
      ...CALL,
      method: undefined,
      params: undefined,
      result: { x: 'x'.repeat(999) },
    });
    for (const path of [told(`data: ${long}\n\n`), told(long, 'application/json')]) {
      const got = await post(path, CALL);
      expect([got.status, got.json()]).toEqual([
        200,
        {
          jsonrpc: '2.0',
          id: 'c1',
          error: { code: 403, message: 'Not this customer.', data: { status: 403 } },
        },
      ]);
      expect(got.all('content-length')).toEqual([String(got.body.length)]);
    }
    await rig.setRules(RULES);
  });

  it('monitor mode changes nothing and says what it would have done', async () => {
    const agent = await connect('/monitor');
    expect(await agent.toolNames()).toHaveLength(3);
    expect((await agent.call('delete_customer', { id: 1 })).text).toBe('deleted 1');
    await agent.client.close();
    // The line comes by another way than the answer.
    const line = /"decision":"monitor_deny".*"mcp":\{"method":"tools\/call","name":"delete_customer"\}/;
    await until('the decision is logged', () => line.test(rig.log()));
  });

  it('a policy provider that is down: refused, with the id', async () => {
    const got = await post('/down', CALL);
    expect(got.status).toBe(502);
    expect(got.json()).toMatchObject({ jsonrpc: '2.0', id: 'c1', error: { code: 502 } });
  });
});

describe('MCP with the access phase only', () => {
  let rig: Rig;
  let server: RunningMcpServer;
  beforeAll(async () => {
    server = await startMcpServer();
    rig = await startRig({
      host: 'ping-auth-pluginserver',
      rules: RULES,
      routes: [{ paths: ['/mcp'], config: { mcp: true }, upstream: server.url }],
      pluginServerArgs: ['--phases', 'access'],
      kong: {
        pluginserver_ping_auth_query_cmd: `${process.execPath} ${await builtPluginServer()} --phases access --dump`,
      },
    });
  });
  afterAll(async () => {
    await rig?.close();
    await server?.close();
  });

  it('streams pass, and calls are decided over', async () => {
    const agent = await connectAgent(`${rig.kongUrl}/mcp`);
    expect(await agent.toolNames()).toHaveLength(3);
    expect(await agent.call('delete_customer', { id: 1 })).toMatchObject({ code: 403 });
    expect(JSON.parse((await agent.call('read_customer', { id: 1 })).text ?? '')).toEqual(CUSTOMER);
    await agent.close();
    expect(server.received().map(({ method }) => method)).toContain('GET');
    expect(server.ran()).toEqual(['read_customer']);
    const methods = (await rig.providerCalls()).map(({ payload }) => (payload as { method: string }).method);
    expect(methods).toContain('GET');
  });
});
