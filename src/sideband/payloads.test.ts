import { describe, expect, it } from 'vitest';
import {
  aRequest,
  aRequestContext,
  aResponse,
  SHOW_ALL,
  showRequest,
  showResponse,
} from '../../test/model/messages.js';
import { allowsBody, isBodiless, isSendableStatus, reasonPhrase } from '../http/admission.js';
import { bodyMember, bodyMemberInSteps, composeResponsePayload, payloadText } from './payloads.js';
import {
  type RequestContext,
  readRequestContext,
  retainedPayload,
  writeRequestContext,
} from './request-context.js';

describe('the payload of /sideband/request', () => {
  it('has the members and types that providers understand', () => {
    const request = aRequest({
      method: 'POST',
      headers: [
        ['X-Two', 'a'],
        ['x-two', 'b'],
        ['x-latin', 'caf\udce9'],
      ],
      body: '{"a":1}',
    });
    expect(showRequest(request, SHOW_ALL).payload).toEqual({
      source_ip: '192.0.2.7',
      source_port: 40_001,
      method: 'POST',
      url: 'https://api.example:8443/v1/users?id=7',
      http_version: '1.1',
      headers: [{ host: 'api.example:8443' }, { 'x-two': 'a' }, { 'x-two': 'b' }, { 'x-latin': 'café' }],
      body: '{"a":1}',
    });
  });

  it('shows more than 100 headers', () => {
    const headers = Array.from({ length: 120 }, (_, i): [string, string] => [`x-${i}`, '1']);
    expect(showRequest(aRequest({ headers }), SHOW_ALL).payload.headers).toHaveLength(121);
  });

  it.each([
    ['1.0', '1.0'],
    ['1', '1.0'],
    ['1.1', '1.1'],
    ['2', '1.1'],
  ])('calls HTTP/%s %s', (httpVersion, shown) => {
    expect(showRequest(aRequest({ httpVersion }), SHOW_ALL).payload.http_version).toBe(shown);
  });

  it('shows no body as an empty one and leaves an omitted one out', () => {
    expect(showRequest(aRequest(), SHOW_ALL).payload.body).toBe('');
    const omitted = showRequest(aRequest({ body: 'secret' }), { ...SHOW_ALL, send_request_body: false });
    expect(omitted.payload).not.toHaveProperty('body');
    expect(omitted.body).toEqual({ kind: 'omitted', reason: 'disabled' });
  });

  it('keeps excluded headers from the policy, in whatever case they are configured', () => {
    const request = aRequest({
      headers: [
        ['cookie', 'a=1'],
        ['x-a', '1'],
      ],
    });
    const shown = showRequest(request, { ...SHOW_ALL, excluded_request_headers: ['Cookie'] });
    expect(JSON.stringify(shown.payload)).not.toContain('cookie');
    expect(shown.headers.names()).toEqual(['host', 'x-a']);
  });

  it('is well-formed JSON with a header called __proto__', () => {
    const { headers } = showRequest(aRequest({ headers: [['__proto__', 'x']] }), SHOW_ALL).payload;
    expect(JSON.stringify(headers)).toBe('[{"host":"api.example:8443"},{"__proto__":"x"}]');
  });

  it('refuses a client certificate that it cannot show', () => {
    const request = aRequest({ clientCertificatePem: 'not a certificate' });
    expect(() => showRequest(request, SHOW_ALL)).toThrow(
      expect.objectContaining({ code: 'request_unreadable' }),
    );
  });
});

describe('the payload of /sideband/response', () => {
  const { payload } = showRequest(aRequest({ body: 'first' }), SHOW_ALL);

  it.each([[{ token: 'x', deep: [1, null] }], ['text'], [0], [false], [null]])(
    'carries the state %j',
    (state) => {
      const requestContext = readRequestContext(
        writeRequestContext(aRequestContext('permit', payload, state)),
      );
      const response = aResponse(200, [['x-up', '1']], 'hello');
      expect(showResponse(response, requestContext, SHOW_ALL).payload).toEqual({
        method: 'GET',
        url: 'https://api.example:8443/v1/users?id=7',
        http_version: '1.1',
        response_code: '200',
        response_status: 'OK',
        headers: [{ 'x-up': '1' }],
        body: 'hello',
        state,
      });
    },
  );

  it('carries the whole first payload when there was no state', () => {
    const requestContext = readRequestContext(
      writeRequestContext(aRequestContext('permit', payload, undefined)),
    );
    const shown = showResponse(aResponse(404), requestContext, SHOW_ALL).payload;
    expect(shown).toMatchObject({
      response_code: '404',
      response_status: 'Not Found',
      body: '',
      request: payload,
    });
    expect(shown).not.toHaveProperty('state');
  });

  it('leaves an omitted body out', () => {
    const requestContext = aRequestContext('permit', payload, null);
    const headers = [
      ['content-type', 'image/png'],
      ['content-encoding', 'gzip'],
    ] as const;
    const shown = showResponse(aResponse(200, headers, 'xx'), requestContext, SHOW_ALL);
    expect(shown.payload).not.toHaveProperty('body');
    expect(shown.body).toEqual({ kind: 'omitted', reason: 'content_encoding' });
  });
});

describe('the request context between the phases', () => {
  const requestContext: RequestContext = aRequestContext(
    'fail_open',
    showRequest(aRequest(), SHOW_ALL).payload,
    undefined,
  );

  it('tells how the request got through', () => {
    expect(readRequestContext(writeRequestContext(requestContext))).toEqual(requestContext);
    expect(requestContext.outcome).toBe('fail_open');
  });

  it('hands the state back to the letter as it came', () => {
    const state = '{ "id": 9007199254740993,\n  "e": 1.0, "e": "\\u0041" }';
    const kept = readRequestContext(
      writeRequestContext({ ...requestContext, kept: retainedPayload('{}', state) }),
    );
    expect(kept.kept).toBe(`"state":${state}`);
    expect(composeResponsePayload(aResponse(200), kept, bodyMember({ kind: 'absent' }))).toContain(
      `,"state":${state}}`,
    );
  });

  /** As the access phase writes it, with a length that fits. */
  const sealed = (text: string, version = 3) => `${version} ${text.length}\n${text}`;
  const line = (...values: unknown[]) => JSON.stringify(values);
  const { target, kept } = requestContext;

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['no request context', '{"v":1'],
    ['null', 'null'],
    ['of no version', sealed('').slice(2)],
    ['of another version', sealed(`${line('permit', 'GET')}\n${target}\n${kept}`, 2)],
    ['without a line', sealed('')],
    ['with a line that is not JSON', sealed(`["permit\n${target}\n${kept}`)],
    ['without an outcome', sealed(`${line(null, 'GET')}\n${target}\n${kept}`)],
    ['with another outcome', sealed(`${line('deny', 'GET')}\n${target}\n${kept}`)],
    ['without a method', sealed(`${line('permit')}\n${target}\n${kept}`)],
    ['without a target', sealed(`${line('permit', 'GET')}\n\n${kept}`)],
    ['with neither state nor request', sealed(`${line('permit', 'GET')}\n${target}\n`)],
    ['cut off', sealed(`${line('permit', 'GET')}\n${target}\n${kept}`).slice(0, -1)],
    ['longer than it was', `${sealed(`${line('permit', 'GET')}\n${target}\n${kept}`)}}`],
  ])('that is %s withholds the response', (_case, text) => {
    expect(() => readRequestContext(text)).toThrow(expect.objectContaining({ code: 'state_missing' }));
  });

  it('is read when it is whole', () => {
    expect(readRequestContext(sealed(`${line('permit', 'GET')}\n${target}\n${kept}`))).toMatchObject({
      outcome: 'permit',
    });
  });

  it('never shows in the error', () => {
    try {
      readRequestContext('hunter2');
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
      expect(error).toHaveProperty('cause', undefined);
    }
  });
});

describe('memory for a payload', () => {
  const grown = async (text: string): Promise<number> => {
    let bytes = 0;
    const memory = {
      grow: (more: number) => {
        bytes += more;
      },
      shrink() {},
    };
    await bodyMemberInSteps({ kind: 'text', text }, memory);
    return bytes;
  };

  it.each([
    ['plain', 'x'.repeat(10_000)],
    ['quotes', '"'.repeat(10_000)],
    ['control characters', '\u0001'.repeat(10_000)],
    ['a bit of all', 'a"\\\n\u0000\u007fé\u20ac\u{1f600}'.repeat(1000)],
    ['few', '"\u0001'.repeat(100)],
  ])('is counted as the escaped text twice and its bytes: %s', async (_name, text) => {
    const json = JSON.stringify(text);
    const perCharacter = Buffer.byteLength(text) === text.length ? 1 : 2;
    const real = 2 * json.length * perCharacter + Buffer.byteLength(json);
    expect(await grown(text)).toBeGreaterThanOrEqual(real);
    expect(await grown(text)).toBeLessThan(real * 1.15);
  });

  it('is reserved before the text is escaped', async () => {
    const memory = {
      grow(): never {
        throw new Error('no memory');
      },
      shrink() {},
    };
    const text = '\u0001'.repeat(1_000_000);
    const before = process.memoryUsage().heapUsed;
    const body = { kind: 'text', text } as const;
    await expect(bodyMemberInSteps(body, memory)).rejects.toThrow('no memory');
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  });
});

describe('a large body', () => {
  it.each([
    ['control characters', '\u0001'.repeat(4_000_000)],
    ['surrogate pairs across the ends of all steps', `a${'\u{1f600}'.repeat(1_000_000)}`],
    ['halves of them', `${'a'.repeat(524_287)}\ud83d\ud83d${'\ude00'.repeat(600_000)}`],
  ])('is the same text as one that is escaped at once, and lets others go on: %s', async (_name, text) => {
    let turns = 0;
    let isDone = false;
    const others = (async () => {
      for (; !isDone; turns += 1) await new Promise((resolve) => setImmediate(resolve));
    })();
    const member = await bodyMemberInSteps({ kind: 'text', text }, { grow() {}, shrink() {} });
    isDone = true;
    await others;
    expect(payloadText(member) === bodyMember({ kind: 'text', text })).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(text.length / 524_288));
  });
});

describe('statuses', () => {
  it.each([
    [200, 'OK'],
    [402, 'Payment Required'],
    [418, "I'm a Teapot"],
    [299, 'OK'],
    [599, 'Internal Server Error'],
    [999, 'Unknown'],
  ])('%i is called %s', (status, phrase) => {
    expect(reasonPhrase(status)).toBe(phrase);
  });

  it('that Kong cannot send are known', () => {
    for (const status of [99, 100, 101, 199, 444, 499, 600, 200.5, Number.NaN])
      expect(isSendableStatus(status)).toBe(false);
    for (const status of [200, 204, 302, 404, 498, 500, 599]) expect(isSendableStatus(status)).toBe(true);
  });

  it('without a body are known', () => {
    expect([204, 205, 304].map(isBodiless)).toEqual([true, true, true]);
    expect([allowsBody(204, 'GET'), allowsBody(304, 'GET'), allowsBody(200, 'HEAD')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(allowsBody(200, 'GET')).toBe(true);
  });
});
