import { Client, SdkHttpError, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { createMcpHandler, McpServer, type PerRequestResponseMode } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startMcpServer } from '../../dev/mcp/mcp-server.js';
import { HeaderList } from '../../src/http/headers.js';
import { bytes } from '../model/messages.js';
import { mcpPath, type Policy, type Send } from './mcp-path.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** No plain ASCII: it travels in base64. */
const NAME = 'löschen';
/** Which headers of MCP the server got. */
type Seen = Record<string, string | null>;

function modernServer(responseMode: PerRequestResponseMode): { send: Send; seen: Seen[] } {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' });
      server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
        content: [{ type: 'text', text }],
      }));
      server.registerPrompt(NAME, {}, () => ({
        messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }],
      }));
      return server;
    },
    { legacy: 'reject', responseMode },
  );
  closing.push(() => handler.close());
  const seen: Seen[] = [];
  const send: Send = (url, init) => {
    const request = new Request(url, init);
    const of = (name: string) => request.headers.get(name);
    seen.push({ method: of('mcp-method'), name: of('mcp-name'), version: of('mcp-protocol-version') });
    return handler.fetch(request);
  };
  return { send, seen };
}

async function connect(send: Send, policy: Policy = {}, url = 'http://mcp.example/mcp') {
  const path = mcpPath(send, policy);
  const client = new Client({ name: 'agent', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { fetch: path.fetch }));
  closing.push(() => client.close());
  return { client, ...path };
}

const ECHO = { name: 'echo', arguments: { text: 'hi' } };

describe.each<PerRequestResponseMode>(['auto', 'sse'])(
  'the official client and server of 2026-07-28, %s',
  (mode) => {
    it('understand each other through the rules for MCP', async () => {
      const { send, seen } = modernServer(mode);
      const { client, passages } = await connect(send);
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['echo']);
      expect((await client.callTool(ECHO)).content).toEqual([{ type: 'text', text: 'hi' }]);
      expect((await client.getPrompt({ name: NAME })).messages).toHaveLength(1);
      expect(passages.map(({ mcpMethod, mcpName, refused }) => [mcpMethod, mcpName, refused])).toEqual([
        ['server/discover', undefined, undefined],
        ['tools/list', undefined, undefined],
        ['tools/call', 'echo', undefined],
        ['prompts/get', '=?base64?bMO2c2NoZW4=?=', undefined],
      ]);
      const version = '2026-07-28';
      expect(seen.at(-1)).toEqual({ method: 'prompts/get', name: '=?base64?bMO2c2NoZW4=?=', version });
    });

    it('give the model the reason of a denial', async () => {
      const request = (headers: HeaderList) =>
        headers.get('mcp-name') === 'echo'
          ? { status: 403, headers: HeaderList.empty, body: bytes('Not today.') }
          : undefined;
      const { client } = await connect(modernServer(mode).send, { request });
      const message = expect.stringContaining('Not today.') as string;
      await expect(client.callTool(ECHO)).rejects.toMatchObject({ code: 403, message });
      expect((await client.getPrompt({ name: NAME })).messages).toHaveLength(1);
    });

    it('make an exception of a denial over HTTP', async () => {
      const request = (headers: HeaderList) =>
        headers.get('mcp-name') === 'echo'
          ? { status: 403, headers: HeaderList.empty, body: bytes('Not today.') }
          : undefined;
      const { client } = await connect(modernServer(mode).send, { request, denials: 'http' });
      const error = await client.callTool(ECHO).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(SdkHttpError);
      expect(String(error)).toContain('Not today.');
    });
  },
);

it('a client of 2026-07-28 falls back to a server of 2025-11-25', async () => {
  const server = await startMcpServer();
  closing.push(() => server.close());
  const { client, passages } = await connect(fetch, {}, server.url);
  expect((await client.listTools()).tools).toHaveLength(3);
  expect(passages.map(({ mcpMethod }) => mcpMethod)).toContain('initialize');
});

it('a subscription is refused in words, and the client goes on', async () => {
  const { client, passages } = await connect(modernServer('auto').send);
  const listening = client.request({
    method: 'subscriptions/listen',
    params: { notifications: { toolsListChanged: true } },
  });
  await expect(listening).rejects.toThrow(/offers no streams/);
  expect(passages.at(-1)).toMatchObject({ status: 404 });
  expect((await client.callTool(ECHO)).isError).not.toBe(true);
});
