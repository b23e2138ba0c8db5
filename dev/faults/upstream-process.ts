import { createServer } from 'node:http';
import { listen } from '../listen.js';
import { createStamps, idIn, Journal, STAMP_KEY_VARIABLE } from './evidence.js';

// The API of the campaign: every request that reaches it is in the journal before it gets an answer.
const [port = '0', journalFile = ''] = process.argv.slice(2);
const stamps = createStamps(process.env[STAMP_KEY_VARIABLE] ?? '');
const journal = new Journal(journalFile);
let breaksOff = false;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const id = idIn(request.url ?? '');
  const permit = String(request.headers['x-permit']);
  const permittedBytes = Number.parseInt(permit, 10);
  journal.write(permit === stamps.permit(id, permittedBytes) ? 'hit' : 'hit-without-permit', id);
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  request.on('error', () => {});
  request.on('end', () => {
    // The policy counts characters, and a hostile body may have more bytes than those.
    if (bytes !== permittedBytes && request.headers['x-hostile'] === undefined)
      journal.write('hit-with-another-body', id);
    const body = `secret of ${id}`;
    response.writeHead(200, [
      ...['Content-Type', 'text/plain', 'Content-Length', String(body.length)],
      ...['X-Internal', id, 'Set-Cookie', `session=${id}`],
    ]);
    if (breaksOff) response.write(body.slice(0, 5), () => response.destroy());
    else response.end(body);
  });
});
const listening = await listen(server, Number(port));
process.send?.({ url: `http://127.0.0.1:${listening}` });
process.on('message', (message: { breaksOff: boolean }) => {
  breaksOff = message.breaksOff;
});
process.on('disconnect', () => process.exit(0));
