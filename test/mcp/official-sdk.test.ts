import { afterEach, describe, expect, it } from 'vitest';
import { connectAgent } from '../../dev/mcp/agent.js';
import { CUSTOMER, type McpServerOptions, startMcpServer } from '../../dev/mcp/mcp-server.js';
import { HeaderList } from '../../src/http/headers.js';
import type { ResponseToSend } from '../../src/http/message.js';
import { bytes } from '../model/messages.js';
import { mcpPath, type Policy } from './mcp-path.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function connect(options: McpServerOptions = {}, policy: Policy = {}) {
  const server = await startMcpServer(options);
  closing.push(() => server.close());
  const path = mcpPath(fetch, policy);
  const agent = await connectAgent(server.url, { fetch: path.fetch });
  closing.push(() => agent.client.close());
  return { server, agent, ...path };
}

const denial = (status: number, message: string): ResponseToSend => ({
  status,
  headers: HeaderList.from([['content-type', 'application/json']]),
  body: bytes(JSON.stringify({ code: 'DENIED', message })),
});

const KINDS: McpServerOptions[] = [
  { answers: 'stream' },
  { answers: 'json' },
  { answers: 'stream', sessions: false },
];

describe.each(KINDS)('the official client and server of 2025-11-25, %o', (options) => {
  it('understand each other through the rules for MCP', async () => {
    const { agent, server, passages } = await connect(options);
    expect(await agent.toolNames()).toEqual(['read_customer', 'delete_customer', 'export_customers']);
    expect(await agent.call('read_customer', { id: 4711 })).toEqual({ text: JSON.stringify(CUSTOMER) });
    const { contents } = await agent.client.readResource({ uri: 'customer://4711' });
    expect(contents).toHaveLength(1);
    expect((await agent.client.getPrompt({ name: 'greeting' })).messages).toHaveLength(1);
    expect((await agent.call('no_such_tool')).text ?? '').toMatch(/not found/);
    await agent.close();

    const post = (mcpMethod: string, mcpName?: string) =>
      expect.objectContaining({ http: 'POST', mcpMethod, mcpName });
    expect(passages.filter(({ http }) => http === 'POST')).toEqual([
      post('initialize'),
      post('notifications/initialized'),
      post('tools/list'),
      post('tools/call', 'read_customer'),
      post('resources/read', 'customer://4711'),
      post('prompts/get', 'greeting'),
      post('tools/call', 'no_such_tool'),
    ]);
    // The stream is not offered, and the client goes on; its session it ends.
    expect(passages.filter(({ refused }) => refused)).toEqual([
      expect.objectContaining({ http: 'GET', status: 405 }),
    ]);
    expect(passages.some(({ http }) => http === 'DELETE')).toBe(options.sessions !== false);
    const type = options.answers === 'json' ? 'application/json' : 'text/event-stream';
    expect(passages.find(({ mcpMethod }) => mcpMethod === 'tools/call')?.serverType).toBe(type);
    // What was made for the policy's eyes stays here.
    for (const { headers } of server.received())
      expect(Object.keys(headers).join()).not.toMatch(/mcp-(method|name)/);
  });

  it('give the model the reason of a denial', async () => {
    const request = (headers: HeaderList) =>
      headers.get('mcp-name') === 'delete_customer' ? denial(403, 'Agents may not delete.') : undefined;
    const { agent, server } = await connect(options, { request });
    expect(await agent.call('delete_customer', { id: 4711 })).toEqual({
      error: 'MCP error 403: Agents may not delete.',
      code: 403,
    });
    expect((await agent.call('read_customer', { id: 4711 })).error).toBeUndefined();
    expect(server.ran()).toEqual(['read_customer']);
  });

  it('make an exception of a denial over HTTP, with all of its body in the text', async () => {
    const request = (headers: HeaderList) =>
      headers.get('mcp-name') === 'delete_customer' ? denial(403, 'Agents may not delete.') : undefined;
    const { agent } = await connect(options, { request, denials: 'http' });
    const { error } = await agent.call('delete_customer', { id: 4711 });
    expect(error).toContain('{"code":"DENIED","message":"Agents may not delete."}');
    expect(error).toMatch(/HTTP/);
  });

  it('let the policy filter the list and redact results', async () => {
    const response = (text: string, headers: HeaderList) => {
      if (headers.get('mcp-method') === 'tools/call') return text.replaceAll(CUSTOMER.iban, '***');
      if (headers.get('mcp-method') !== 'tools/list') return text;
      const list = JSON.parse(text) as { result: { tools: { name: string }[] } };
      list.result.tools = list.result.tools.filter(({ name }) => name !== 'export_customers');
      return JSON.stringify(list);
    };
    const { agent } = await connect(options, { response });
    expect(await agent.toolNames()).toEqual(['read_customer', 'delete_customer']);
    const { text = '' } = await agent.call('read_customer', { id: 4711 });
    expect(JSON.parse(text)).toEqual({ ...CUSTOMER, iban: '***' });
  });

  it('end with an exception when a response is withheld', async () => {
    const server = await startMcpServer(options);
    closing.push(() => server.close());
    const crossed = async (url: string | URL, init?: RequestInit) => {
      const response = await fetch(url, init);
      const body = await response.text();
      const isCall = String(init?.body).includes('tools/call');
      return new Response(
        response.status === 202 ? null : isCall ? body.replace(/"id":\d+/, '"id":99') : body,
        {
          status: response.status,
          headers: response.headers,
        },
      );
    };
    const agent = await connectAgent(server.url, { fetch: mcpPath(crossed).fetch });
    closing.push(() => agent.client.close());
    const { error } = await agent.call('read_customer', { id: 4711 });
    expect(error).toContain('The policy decision could not be obtained');
    expect(error).not.toContain(CUSTOMER.iban);
  });
});

it('a denial of 401 stays HTTP, for the client to get a token', async () => {
  const unauthorised = (): ResponseToSend => ({
    status: 401,
    headers: HeaderList.from([['www-authenticate', 'Bearer']]),
    body: bytes(''),
  });
  await expect(connect({}, { request: unauthorised })).rejects.toMatchObject({ code: 401 });
});
