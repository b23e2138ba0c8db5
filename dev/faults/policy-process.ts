import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { Journal } from './journal.js';
import { type Lie, liesAbout } from './lies.js';
import type { PolicyBehaviour } from './policy-behaviour.js';
import {
  createStamps,
  hasState,
  idIn,
  isDenied,
  isRewritten,
  numberOf,
  STAMP_KEY_VARIABLE,
} from './stamps.js';

// The policy provider of the campaign. It stamps what it lets through, and a decision is in the journal before it is sent.
type Headers = Readonly<Record<string, string>>[];
type Payload = { readonly url: string; readonly headers: Headers } & Readonly<Record<string, unknown>>;

const [port = '0', journalFile = '', certFile = '', keyFile = '', given = '{}'] = process.argv.slice(2);
const stamps = createStamps(process.env[STAMP_KEY_VARIABLE] ?? '');
const journal = new Journal(journalFile);
let behaviour = JSON.parse(given) as PolicyBehaviour;

const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile), keepAliveTimeout: 60_000 };
const server = createServer(tls, (request, response) => {
  const phase = request.url?.endsWith('/request') ? 'request' : 'response';
  text(request)
    .then((body) => answer(phase, JSON.parse(body) as Payload, response))
    .catch(() => response.destroy());
});

async function answer(
  phase: 'request' | 'response',
  payload: Payload,
  response: ServerResponse,
): Promise<void> {
  const id = idIn(payload.url);
  const delayMs = behaviour.delayMs[phase];
  if (delayMs > 0) await pause(delayMs);
  const share = behaviour.lies[phase];
  if (share > 0 && numberOf(id) % 100 < share * 100) {
    const lies = liesAbout(phase === 'request' ? permit(payload, id, 'lie') : passed(payload, id, 'lie'));
    const lie = lies[numberOf(id) % lies.length];
    return lie && tell(lie, response);
  }
  const decision = phase === 'request' ? decide(payload, id) : filter(payload, id);
  response.end(JSON.stringify(decision));
}

function decide(payload: Payload, id: string): object {
  if (!isDenied(id)) {
    journal.write('permitted', id);
    // All bodies of the campaign are ASCII.
    return permit(payload, id, stamps.permit(id, String(payload.body ?? '').length));
  }
  journal.write('denied', id);
  const headers = [{ 'content-type': 'text/plain' }, { 'x-denied': stamps.denial(id) }];
  return {
    ...payload,
    response: { response_code: '403', response_status: 'Forbidden', headers, body: 'denied' },
  };
}

function permit(payload: Payload, id: string, stamp: string) {
  return {
    ...payload,
    headers: [...payload.headers, { 'x-permit': stamp }],
    ...(hasState(id) ? { state: { id, nested: [{ id }] } } : {}),
  };
}

function filter(payload: Payload, id: string): object {
  // What the access phase kept must be this request's, and no other's.
  const { state, request } = payload as { state?: { id?: string }; request?: Payload };
  const own = hasState(id) ? state?.id : request === undefined ? undefined : idIn(request.url);
  if (own !== id) journal.write('mixed', id);
  journal.write('answered', id);
  return passed(payload, id, stamps.answer(id));
}

function passed(payload: Payload, id: string, stamp: string) {
  const headers = payload.headers.filter((pair) => !('x-internal' in pair) && !('set-cookie' in pair));
  return {
    response_code: payload.response_code,
    response_status: payload.response_status,
    headers: [...headers, { 'x-stamp': stamp }],
    body: isRewritten(id) ? `filtered ${id}` : payload.body,
  };
}

function tell(lie: Lie, response: ServerResponse): void {
  if (lie.hang) return;
  response.on('error', () => {});
  if (lie.cut && lie.body.length === 0) {
    response.destroy();
    return;
  }
  response.writeHead(lie.status, { 'content-type': 'application/json', ...lie.headers });
  if (lie.cut) response.write(lie.body, () => response.destroy());
  else response.end(lie.body);
}

server.listen(Number(port), '127.0.0.1', 1024, () => {
  process.send?.({ url: `https://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.on('message', (message: PolicyBehaviour) => {
  behaviour = message;
});
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));
