import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import {
  acceptedContent,
  createMcpHandler,
  inputRequired,
  McpServer,
  type PerRequestResponseMode,
} from '@modelcontextprotocol/server';
import { z } from 'zod';
import { listen } from '../listen.js';

export interface RunningModernServer {
  readonly url: string;
  /** Bodies of all POSTs so far, in order. */
  received(): readonly string[];
  /** Tools that ran to their end, by name. */
  ran(): readonly string[];
  close(): Promise<void>;
}

/**
 * An MCP server of revision 2026-07-28 on the official SDK, with the tools `delete_customer` and `move_customer`, which asks for
 * the town in a form of its own. Its list may be cached by anybody. For tests and the demo; it protects nothing.
 */
export async function startModernServer(
  answers: PerRequestResponseMode = 'auto',
): Promise<RunningModernServer> {
  const received: string[] = [];
  const ran: string[] = [];
  const handler = createMcpHandler(() => register(ran), { legacy: 'reject', responseMode: answers });

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    if (request.method === 'POST') received.push(body.toString());
    const reply = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? 'GET',
        headers: request.headers as Record<string, string>,
        ...(body.length === 0 ? {} : { body }),
      }),
    );
    response.writeHead(reply.status, Object.fromEntries(reply.headers));
    response.end(Buffer.from(await reply.arrayBuffer()));
  };

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.writeHead(500).end());
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    received: () => received,
    ran: () => ran,
    close: async () => {
      await handler.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

function register(ran: string[]): McpServer {
  const server = new McpServer(
    { name: 'customers', version: '1.0.0' },
    { cacheHints: { 'tools/list': { ttlMs: 300_000, cacheScope: 'public' } } },
  );
  const customer = z.object({ id: z.number() });
  server.registerTool(
    'delete_customer',
    { description: 'Deletes a customer for good', inputSchema: customer },
    ({ id }) => {
      ran.push('delete_customer');
      return { content: [{ type: 'text', text: `deleted ${id}` }] };
    },
  );
  server.registerTool(
    'move_customer',
    { description: 'Moves a customer to another town', inputSchema: customer },
    ({ id }, { mcpReq }) => {
      const town = acceptedContent<{ town: string }>(mcpReq.inputResponses, 'town');
      if (town === undefined) {
        const requestedSchema = {
          type: 'object' as const,
          properties: { town: { type: 'string' as const } },
          required: ['town'],
        };
        return inputRequired({
          inputRequests: { town: inputRequired.elicit({ message: 'Where to?', requestedSchema }) },
          requestState: 'asked for the town',
        });
      }
      ran.push('move_customer');
      return { content: [{ type: 'text', text: `moved ${id} to ${town.town}` }] };
    },
  );
  return server;
}
