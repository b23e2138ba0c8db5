import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { parse } from 'yaml';
import { listen } from '../listen.js';
import { type PolicyProvider, type PolicyProviderOptions, startPolicyProvider } from './server.js';

interface Flags {
  rules?: string;
  port: string;
  host: string;
  adminPort?: string;
  secretEnv?: string;
  secretHeader: string;
  cert?: string;
  key?: string;
  clientCa?: string;
  caOut?: string;
  keepAliveMs?: string;
}

const flags = new Command('policy-provider')
  .description('A development double of a PingAccess / PingAuthorize sideband listener. It protects nothing.')
  .option('--rules <file>', 'YAML file with rules; without it everything is permitted')
  .option('--port <number>', 'HTTPS port; 0: any free one', '3020')
  .option('--host <address>', 'address to listen on', '127.0.0.1')
  .option('--admin-port <number>', 'plain HTTP on 127.0.0.1 with GET /_calls and PUT /_rules')
  .option(
    '--secret-env <name>',
    'environment variable that holds the shared secret; without it any secret will do',
  )
  .option('--secret-header <name>', 'header that carries it', 'CLIENT-TOKEN')
  .option('--cert <file>', 'PEM; with --key. Default: a certificate made on the spot')
  .option('--key <file>', 'PEM')
  .option('--client-ca <file>', 'PEM of the CA whose client certificates are demanded')
  .option('--ca-out <file>', 'writes the CA to trust to this file')
  .option('--keep-alive-ms <number>', 'how long an idle connection is kept')
  .parse()
  .opts<Flags>();

async function main(): Promise<void> {
  const provider = await startPolicyProvider(options());
  const admin =
    flags.adminPort === undefined ? undefined : await startAdmin(provider, Number(flags.adminPort));
  if (flags.caOut !== undefined) writeFileSync(flags.caOut, provider.ca);
  console.log('DEVELOPMENT DOUBLE of a policy provider: never let it guard anything.');
  console.log(`sideband  ${provider.url}/sideband/{request,response}`);
  if (admin) console.log(`calls     ${admin.url}/_calls`);

  const stop = async () => {
    await Promise.all([provider.close(), admin?.close()]);
    process.exit(0);
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  // Started by a test or the demo: tell it where we are, and end with it.
  process.on('disconnect', stop);
  process.send?.({ url: provider.url, adminUrl: admin?.url, ca: provider.ca });
}

function options(): PolicyProviderOptions {
  const { rules, secretEnv, keepAliveMs, cert, key, clientCa } = flags;
  const secret = secretEnv === undefined ? undefined : process.env[secretEnv];
  if (secretEnv !== undefined && !secret) throw new Error(`the environment variable ${secretEnv} is empty`);
  if ((cert === undefined) !== (key === undefined)) throw new Error('--cert and --key belong together');
  return {
    port: Number(flags.port),
    host: flags.host,
    secretHeader: flags.secretHeader,
    ...(rules === undefined ? {} : { rulesFile: rules }),
    ...(secret === undefined ? {} : { secret }),
    ...(keepAliveMs === undefined ? {} : { keepAliveMs: Number(keepAliveMs) }),
    ...(cert === undefined || key === undefined
      ? {}
      : {
          tls: {
            cert: readFileSync(cert, 'utf8'),
            key: readFileSync(key, 'utf8'),
            ...(clientCa === undefined ? {} : { clientCa: readFileSync(clientCa, 'utf8') }),
          },
        }),
  };
}

main().catch((error: NodeJS.ErrnoException) => {
  const reason =
    error.code === 'EADDRINUSE' ? `port ${flags.port} is taken; choose another with --port` : error.message;
  console.error(`policy provider: ${reason}`);
  process.exitCode = 1;
  process.disconnect?.();
});

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
  const listening = await listen(server, port);
  return {
    url: `http://127.0.0.1:${listening}`,
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
