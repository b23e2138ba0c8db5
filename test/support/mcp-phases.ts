import { applyResponseChanges } from '../../src/directives/apply.js';
import type { ErrorCode } from '../../src/errors/catalogue.js';
import { PingAuthError } from '../../src/errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../../src/http/headers.js';
import type { HttpRequest, HttpResponse } from '../../src/http/message.js';
import type { RequestAnswer, RequestPayload, ResponsePayload } from '../../src/sideband/messages.js';
import { text } from '../model/messages.js';
import {
  accessPhase,
  type Deed,
  type FakeInstanceOptions,
  fakeGateway,
  fakeInstance,
  REQUEST,
  responsePhase,
} from './fake-instance.js';

export const CALL = {
  jsonrpc: '2.0',
  id: 7,
  method: 'tools/call',
  params: { name: 'echo', arguments: { a: 1 } },
};
export const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"secret"}]}}';
export const JSON_TYPE: HeaderField = ['content-type', 'application/json'];
export const STREAM_TYPE: HeaderField = ['content-type', 'text/event-stream'];

export const post = (message: unknown, headers: readonly HeaderField[] = []): HttpRequest => ({
  ...REQUEST,
  method: 'POST',
  headers: HeaderList.from([...REQUEST.headers, JSON_TYPE, ...headers]),
  body: Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
});
export const without = (method: string): HttpRequest => ({ ...REQUEST, method });
export const deny =
  (status: number, headers: readonly HeaderField[] = []): (() => RequestAnswer) =>
  () => ({
    kind: 'deny',
    response: {
      responseCode: String(status),
      headers: [JSON_TYPE, ...headers],
      body: '{"code":"NO","message":"Ask a person."}',
    },
  });
export const failing = (code: ErrorCode) => (): never => {
  throw new PingAuthError(code);
};

export type Change<P> = (shown: P) => Partial<P>;

/** One access phase; without an answer of its own the policy permits, with these changes. */
export async function access(
  request: HttpRequest,
  { change = () => ({}), ...options }: FakeInstanceOptions & { change?: Change<RequestPayload> } = {},
) {
  const instance = fakeInstance({
    request: (): RequestAnswer => {
      const shown = instance.asked.at(-1) as RequestPayload;
      const { method, url, headers, body } = { ...shown, ...change(shown) };
      const fields = headers.flatMap((pair) => Object.entries(pair));
      const rest = { sourceIp: undefined, sourcePort: undefined, clientCertificate: undefined };
      return { kind: 'permit', method, url, headers: fields, body, state: undefined, ...rest };
    },
    ...options,
    config: { mcp: true, ...options.config },
  });
  const gateway = fakeGateway({ reading: () => ({ request }) });
  await accessPhase(instance, gateway, {});
  return { deed: onlyOne(gateway.deeds), asked: instance.asked, decision: instance.decisions[0] };
}

/** The response phase after an access phase that permitted; what the client gets is in `sent`. */
export async function respond(
  response: HttpResponse,
  {
    change = () => ({}),
    request = post(CALL),
    requestContext,
    ...options
  }: Omit<FakeInstanceOptions, 'request'> & {
    change?: Change<ResponsePayload>;
    readonly requestContext?: string;
    readonly request?: HttpRequest;
  } = {},
) {
  const { deed } = await access(request);
  const kept = requestContext ?? (deed.did === 'permit' ? deed.requestContext : '');
  const instance = fakeInstance({
    response: () => {
      const shown = instance.asked.at(-1) as ResponsePayload;
      const { response_code, headers, body } = { ...shown, ...change(shown) };
      return { responseCode: response_code, headers: headers.flatMap((pair) => Object.entries(pair)), body };
    },
    ...options,
    config: { mcp: true, ...options.config },
  });
  const gateway = fakeGateway({ response, requestContext: kept });
  await responsePhase(instance, gateway, {});
  const done = onlyOne(gateway.deeds);
  const sent = done.did === 'filter' ? applyResponseChanges(response, done.changes, 'POST') : undefined;
  return { deed: done, sent, asked: instance.asked as ResponsePayload[], decision: instance.decisions[0] };
}

export function onlyOne(deeds: readonly Deed[]): Deed {
  const [deed, ...others] = deeds;
  if (deed === undefined || others.length > 0) throw new Error(`${deeds.length} deeds`);
  return deed;
}
export const response = (
  body: string | Uint8Array,
  headers: readonly HeaderField[] = [JSON_TYPE],
  status = 200,
) => ({
  status,
  headers: HeaderList.from(headers),
  body: Buffer.from(body),
});
export const stream = (...messages: string[]) =>
  messages.map((data) => `event: message\ndata: ${data}\n\n`).join('');
/** Status and JSON of an error response. */
export const errorResponse = (deed: Deed) =>
  deed.did === 'refuse' || deed.did === 'withhold'
    ? [deed.response.status, JSON.parse(text(deed.response.body) ?? '')]
    : [deed.did];
export const shownHeader = (payload: unknown, name: string) =>
  (payload as RequestPayload).headers.flatMap((pair) => (name in pair ? [pair[name]] : []));
