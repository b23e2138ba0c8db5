import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createAuthority } from '../../dev/certificates.js';

/**
 * A policy provider that permits everything at the least cost: a payload is also a valid answer, so it sends back what it
 * got, with a `state` for the first call. In a process of its own (`startProcess`).
 */
const STATE = Buffer.from('{"state":{"session":"3f2a8c1e9b"},');

const authority = await createAuthority();
const server = createServer(
  { ...(await authority.issue()), keepAliveTimeout: 60_000 },
  (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const isRequest = request.url?.endsWith('/request') === true;
      const [first = Buffer.alloc(0), ...rest] = chunks;
      const parts = isRequest ? [STATE, first.subarray(1), ...rest] : chunks;
      const length = parts.reduce((sum, part) => sum + part.length, 0);
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length });
      for (const part of parts) response.write(part);
      response.end();
    });
  },
);
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  process.send?.({ url: `https://127.0.0.1:${port}`, ca: authority.cert });
});
process.on('disconnect', () => process.exit());
