import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import { listen } from '../listen.js';
import {
  createStamps,
  hasState,
  idIn,
  isDenied,
  isRewritten,
  Journal,
  numberOf,
  STAMP_KEY_VARIABLE,
} from './evidence.js';
import type { PolicyBehaviour } from './stack.js';

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

const listening = await listen(server, Number(port));
process.send?.({ url: `https://127.0.0.1:${listening}` });
process.on('message', (message: PolicyBehaviour) => {
  behaviour = message;
});
process.on('SIGTERM', () => process.exit(0));
process.on('disconnect', () => process.exit(0));

/** An answer of the policy provider that is no decision, although it may look like one. */
export interface Lie {
  readonly what: string;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
  /** The connection ends after the body, whatever was announced. */
  readonly cut?: boolean;
  /** Nothing comes at all. */
  readonly hang?: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * All the lies there are. `honest` is a decision that would be obeyed if it came properly; it carries stamps that are
 * not the policy's, so that whoever obeys it is found out.
 */
export function liesAbout(honest: Json): readonly Lie[] {
  const text = JSON.stringify(honest);
  const ok = (what: string, value: unknown): Lie => ({ what, status: 200, body: JSON.stringify(value) });
  const without = (name: string) =>
    ok(`without ${name}`, Object.fromEntries(Object.entries(honest).filter(([key]) => key !== name)));
  const withOther = (what: string, members: Json) => ok(what, { ...honest, ...members });
  const isPermit = 'url' in honest;
  const members = isPermit ? ['method', 'url', 'headers'] : ['response_code', 'headers'];
  return [
    ...members.map(without),
    ok('an empty object', {}),
    ok('a list', [honest]),
    ok('true', true),
    ok('a string', text),
    ok('an error document with 200', { id: '1', code: 'ERROR', message: 'try again' }),
    withOther('headers as an object', { headers: { 'x-permit': 'lie', 'x-stamp': 'lie' } }),
    withOther('a header with two pairs', { headers: [{ 'x-permit': 'lie', 'x-stamp': 'lie' }] }),
    withOther('a header value that is a number', { headers: [{ 'x-permit': 1 }] }),
    withOther('a header name with a line break', { headers: [{ 'x\r\ny': '1' }] }),
    withOther('a header value with a line break', { headers: [{ x: '1\r\nx-stamp: lie' }] }),
    withOther('a body that is an object', { body: { a: 1 } }),
    ...(isPermit
      ? [
          withOther('response: null', { response: null }),
          withOther('an empty response', { response: {} }),
          withOther('a response with an impossible status', { response: { response_code: 99, headers: [] } }),
          withOther('a URL of another kind', { url: 'ftp://a.example/' }),
          withOther('a URL that walks', { url: 'http://a.example:1/r/../admin' }),
          withOther('a method that nginx does not know', { method: 'FOO' }),
        ]
      : [
          withOther('status 99', { response_code: 99 }),
          withOther('status "OK"', { response_code: 'OK' }),
          withOther('status 700', { response_code: '700' }),
          withOther('status 101', { response_code: 101 }),
        ]),
    { what: 'half of the JSON', status: 200, body: text.slice(0, text.length / 2) },
    { what: 'JSON and more', status: 200, body: `${text}{}` },
    {
      what: 'JSON that is not UTF-8',
      status: 200,
      body: Buffer.concat([Buffer.from(text), Buffer.from([0xff])]),
    },
    { what: 'a page', status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Sign on</html>' },
    { what: 'nothing', status: 200, body: '' },
    ...[201, 204, 302, 400, 403, 404, 500, 503].map((status) => ({
      what: `a decision with status ${status}`,
      status,
      body: status === 204 ? '' : text,
    })),
    {
      what: 'a decision that is cut off',
      status: 200,
      headers: { 'content-length': String(text.length + 100) },
      body: text,
      cut: true,
    },
    { what: 'a connection that ends', status: 200, body: '', cut: true },
    { what: 'silence', status: 200, body: '', hang: true },
  ];
}
