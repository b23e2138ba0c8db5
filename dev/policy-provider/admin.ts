import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { parse } from 'yaml';
import type { PolicyProvider } from './server.js';

/**
 * A plain HTTP port on 127.0.0.1 beside the policy provider, for tests and the curious: `GET /_calls`, `DELETE /_calls`,
 * `PUT /_rules` with YAML or JSON.
 */
export async function startAdmin(
  provider: PolicyProvider,
  port = 0,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(provider, request, response).catch((error: unknown) => {
      reply(response, 400, { message: error instanceof Error ? error.message : String(error) });
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function answer(
  provider: PolicyProvider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  switch (`${request.method} ${request.url}`) {
    case 'GET /_calls':
      return reply(response, 200, provider.requests);
    case 'DELETE /_calls':
      provider.clear();
      return reply(response, 200, {});
    case 'PUT /_rules':
      provider.setRules(parse(await text(request)).rules);
      return reply(response, 200, {});
    default:
      return reply(response, 404, { message: 'GET /_calls, DELETE /_calls, PUT /_rules' });
  }
}

function reply(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(value));
}
