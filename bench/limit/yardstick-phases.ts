import {
  bytesField,
  bytesOf,
  eachHeader,
  headersStruct,
  intField,
  intOf,
  pdkCall,
  textValue,
} from './wire.js';

/** What a phase does with Kong and with the policy provider; ends with `finish` or `exit`. */
export interface YardstickEvent {
  /** Sends calls together; `then` gets their replies, in order. */
  read(calls: Buffer, count: number, then: (replies: Buffer[]) => void): void;
  post(phase: 'request' | 'response', payload: object, then: (answer: Answer) => void): void;
  /** Sends calls whose replies are not awaited, together with the end of the event. */
  finish(calls: Buffer[]): void;
  exit(call: Buffer): void;
}

type WireHeaders = Record<string, string>[];

/** What the two answers of a policy provider hold, taken for granted. */
export interface Answer {
  readonly url: string;
  readonly headers: WireHeaders;
  readonly state: unknown;
  readonly response_code: string;
  readonly response?: {
    readonly response_code: string;
    readonly headers: WireHeaders;
    readonly body: string;
  };
}

const MAX_HEADERS = intField(1, 1000);
const READ_REQUEST = Buffer.concat([
  pdkCall('kong.nginx.get_var', bytesField(1, 'ping_auth_request')),
  pdkCall('kong.request.get_headers', MAX_HEADERS),
]);
const READ_REQUEST_BODY = pdkCall('kong.request.get_raw_body');
const CONTEXT_KEY = 'ping_auth';
const READ_RESPONSE = Buffer.concat([
  pdkCall('kong.ctx.shared.get', bytesField(1, CONTEXT_KEY)),
  pdkCall('kong.response.get_status'),
  pdkCall('kong.response.get_headers', MAX_HEADERS),
  pdkCall('kong.service.response.get_raw_body'),
]);

/** Reads, composes, asks, and denies or applies what was changed. */
export function access(event: YardstickEvent): void {
  event.read(READ_REQUEST, 2, ([variable, headers]) => {
    const fields = textOf(variable).split('\u001f');
    const [, ip, port, method = '', scheme, host, listener, target] = fields;
    const url = `${scheme}://${host}:${listener}${target}`;
    const shown = wireHeaders(headers);
    const ask = (body: string) => {
      const payload = {
        source_ip: ip,
        source_port: Number(port),
        method,
        url,
        http_version: '1.1',
        headers: shown,
        body,
      };
      event.post('request', payload, (answer) => {
        if (answer.response !== undefined) event.exit(denial(answer.response));
        else event.finish([requestContext(method, url, answer.state), ...changes(url, shown, answer)]);
      });
    };
    if (method === 'GET') ask('');
    else event.read(READ_REQUEST_BODY, 1, ([body]) => ask(textOf(body)));
  });
}

/** Reads, composes, asks. It knows no changes of a response. */
export function response(event: YardstickEvent): void {
  event.read(READ_RESPONSE, 4, ([kept, status, headers, body]) => {
    const { method, url, state } = JSON.parse(kept === undefined ? '' : bytesOf(kept, 3).toString());
    const code = String(status === undefined ? 0 : intOf(status, 1));
    const payload = {
      method,
      url,
      http_version: '1.1',
      response_code: code,
      response_status: 'OK',
      headers: wireHeaders(headers),
      body: textOf(body),
      state,
    };
    event.post('response', payload, (answer) => {
      if (answer.response_code !== code) throw new Error('the yardstick changes no response');
      event.finish([]);
    });
  });
}

function textOf(reply: Buffer | undefined): string {
  return reply === undefined ? '' : bytesOf(reply, 1).toString();
}

function wireHeaders(struct: Buffer | undefined): WireHeaders {
  const headers: WireHeaders = [];
  if (struct !== undefined) eachHeader(struct, (name, value) => headers.push({ [name]: value }));
  return headers;
}

/** The response call is about the request as the client sent it. */
function requestContext(method: string, url: string, state: unknown): Buffer {
  const text = JSON.stringify({ method, url, state });
  return pdkCall(
    'kong.ctx.shared.set',
    Buffer.concat([bytesField(1, CONTEXT_KEY), bytesField(2, textValue(text))]),
  );
}

function denial({ response_code, headers, body }: NonNullable<Answer['response']>): Buffer {
  const struct = headersStruct(byName(headers));
  const parts = [intField(1, Number(response_code)), bytesField(2, body), bytesField(3, struct)];
  return pdkCall('kong.response.exit', Buffer.concat(parts));
}

/** Calls for the path and the headers, as far as they differ. A removed header is an empty list. */
function changes(url: string, shown: WireHeaders, answer: Answer): Buffer[] {
  const calls: Buffer[] = [];
  if (answer.url !== url) {
    const start = answer.url.indexOf('/', answer.url.indexOf('://') + 3);
    const path = answer.url.slice(start).split('?', 1).join();
    calls.push(pdkCall('kong.service.request.set_path', bytesField(1, path)));
  }
  if (!areSame(shown, answer.headers)) {
    const before = byName(shown);
    const after = byName(answer.headers);
    const written = new Map<string, string[]>();
    for (const [name, values] of after)
      if (before.get(name)?.join() !== values.join()) written.set(name, values);
    for (const name of before.keys()) if (!after.has(name)) written.set(name, []);
    calls.push(pdkCall('kong.service.request.set_headers', headersStruct(written)));
  }
  return calls;
}

function areSame(one: WireHeaders, other: WireHeaders): boolean {
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++)
    for (const name in one[i]) if (one[i]?.[name] !== other[i]?.[name]) return false;
  return true;
}

function byName(headers: WireHeaders): Map<string, string[]> {
  const map = new Map<string, string[]>();
  for (const header of headers) {
    for (const name in header) {
      const value = header[name] ?? '';
      const values = map.get(name);
      if (values === undefined) map.set(name, [value]);
      else values.push(value);
    }
  }
  return map;
}
