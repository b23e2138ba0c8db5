import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { listen } from '../listen.js';

export interface McpServerOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** How requests are answered. The official server answers with event streams unless told otherwise. */
  readonly answers?: 'stream' | 'json';
  /** Whether clients get a session, as most servers up to 2025-11-25 do. Default true. */
  readonly sessions?: boolean;
}

/** A request as it reached the server. */
export interface ReceivedRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface RunningMcpServer {
  readonly url: string;
  /** All requests so far, in order. */
  received(): readonly ReceivedRequest[];
  /** Tools that really ran, by name. */
  ran(): readonly string[];
  close(): Promise<void>;
}

/** The customer that `read_customer` gives; a policy has something to hide in it. */
export const CUSTOMER = { id: 4711, name: 'Ada Example', iban: 'CH9300762011623852957' };

/**
 * An MCP server on the official SDK: a small customer register with the tools `read_customer`, `delete_customer` and
 * `export_customers`, a resource and a prompt. For tests and the demo; it protects nothing.
 */
export async function startMcpServer(options: McpServerOptions = {}): Promise<RunningMcpServer> {
  const received: ReceivedRequest[] = [];
  const ran: string[] = [];
  const sessions = new Map<string, StreamableHTTPServerTransport>();

  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      enableJsonResponse: options.answers === 'json',
      ...(options.sessions === false
        ? {}
        : {
            sessionIdGenerator: randomUUID,
            onsessioninitialized: (id: string) => void sessions.set(id, transport),
            onsessionclosed: (id: string) => void sessions.delete(id),
          }),
    });
    // The SDK's types are not written for exactOptionalPropertyTypes.
    await register(ran).connect(transport as Transport);
    return transport;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await textOf(request);
    received.push({
      method: request.method ?? '',
      headers: request.headers as Record<string, string>,
      body,
    });
    const message = body === '' ? undefined : (JSON.parse(body) as unknown);
    const session = sessions.get(String(request.headers['mcp-session-id']));
    const isNew = options.sessions === false || isInitializeRequest(message);
    const transport = session ?? (isNew ? await open() : undefined);
    if (transport === undefined) {
      response.writeHead(404).end();
      return;
    }
    await transport.handleRequest(request, response, message);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(400).end());
  });
  const port = await listen(server, options.port);
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    received: () => received,
    ran: () => ran,
    close: async () => {
      for (const transport of sessions.values()) await transport.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function register(ran: string[]): McpServer {
  const server = new McpServer({ name: 'customers', version: '1.0.0' });
  const customer = { id: z.number().int() };
  server.registerTool(
    'read_customer',
    { description: 'Reads a customer', inputSchema: customer, annotations: { readOnlyHint: true } },
    async (_input, { sendNotification, _meta }) => {
      ran.push('read_customer');
      const progressToken = _meta?.progressToken;
      if (progressToken !== undefined) {
        await sendNotification({
          method: 'notifications/progress',
          params: { progressToken, progress: 1, total: 2 },
        });
      }
      return { content: [{ type: 'text', text: JSON.stringify(CUSTOMER) }] };
    },
  );
  server.registerTool(
    'delete_customer',
    { description: 'Deletes a customer for good', inputSchema: customer },
    ({ id }) => {
      ran.push('delete_customer');
      return { content: [{ type: 'text', text: `deleted ${id}` }] };
    },
  );
  server.registerTool('export_customers', { description: 'Exports all customers' }, () => {
    ran.push('export_customers');
    return { content: [{ type: 'text', text: JSON.stringify([CUSTOMER]) }] };
  });
  server.registerResource('customer', 'customer://4711', { title: 'A customer' }, ({ href }) => ({
    contents: [{ uri: href, text: JSON.stringify(CUSTOMER) }],
  }));
  server.registerPrompt('greeting', { description: 'Greets a customer' }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'Write a greeting.' } }],
  }));
  return server;
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
