import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

// A policy provider that costs next to nothing: it denies /denied and rewrites the response to /filtered.
const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  text(request)
    .then((body) => {
      const payload = JSON.parse(body);
      const path = new URL(payload.url).pathname;
      if (request.url?.endsWith('/request')) {
        const denial = { response_code: '403', headers: [{ 'content-type': 'text/plain' }], body: 'no' };
        response.end(
          JSON.stringify(
            path === '/denied' ? { ...payload, response: denial } : { ...payload, state: { n: 1 } },
          ),
        );
      } else {
        const { response_code, headers, body: shown } = payload;
        response.end(
          JSON.stringify({ response_code, headers, body: path === '/filtered' ? 'filtered' : shown }),
        );
      }
    })
    .catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('disconnect', () => process.exit(0));
