import { once } from 'node:events';
import { Pool } from 'undici';
import { DEFAULTS } from '../../src/pluginserver/options.js';
import type { PluginModule } from '../../src/pluginserver/plugin-module.js';
import { PluginServer } from '../../src/pluginserver/run-server.js';
import { benchRequest } from '../support/requests.js';

/**
 * What the bytes of a large body cost without a look at them: an event without a single PDK call, and in each phase one POST
 * of a ready message to the provider, whose answer is thrown away. Arguments: socket, provider, its CA, bytes of the body.
 */
const [socketPath = '', url = '', ca = '', bodyBytes = '0'] = process.argv.slice(2);
const pool = new Pool(url, { connect: { ca }, connections: 64 });
const request = benchRequest(Number(bodyBytes));
const message = Buffer.from(
  JSON.stringify({
    source_ip: '192.0.2.7',
    source_port: 40368,
    method: request.method,
    url: 'http://api.example.com:8000/accounts/4711/transactions?from=2024-01-01&to=2024-12-31&page=2',
    http_version: '1.1',
    headers: Object.entries(request.headers).map(([name, value]) => ({ [name]: String(value) })),
    body: request.body.toString(),
  }),
);
const small = message.subarray(0, 900);

async function post(path: string, body: Uint8Array): Promise<void> {
  const answer = await pool.request({
    path,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  await answer.body.arrayBuffer();
}

class Floor {
  access(): Promise<void> {
    return post('/sideband/request', message);
  }

  response(): Promise<void> {
    return post('/sideband/response', small);
  }
}

const silent = () => undefined;
const module: PluginModule = { Name: 'ping-auth', Version: '1.0.0', Priority: 1, Schema: [], Plugin: Floor };
const server = await PluginServer.start({
  ...DEFAULTS,
  plugins: [module],
  logger: { debug: silent, info: silent, warn: silent, error: silent },
  socketPath,
  takeover: false,
  bodyDirs: [],
});
await once(process, 'SIGTERM');
await server.stop(0);
process.exit();
