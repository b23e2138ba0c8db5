import { describe, expect, it } from 'vitest';
import { aRequest, aResponse, SHOW_ALL } from '../../test/model/messages.js';
import { createMemo, type Memo, readMemo, writeMemo } from './memo.js';
import { showRequest } from './request-payload.js';
import { showResponse } from './response-payload.js';
import { allowsBody, isSendableStatus, reasonPhrase } from './status.js';

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
      const memo = readMemo(writeMemo(createMemo('permit', payload, state)));
      const response = aResponse(200, [['x-up', '1']], 'hello');
      expect(showResponse(response, memo, SHOW_ALL).payload).toEqual({
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
    const memo = readMemo(writeMemo(createMemo('permit', payload, undefined)));
    const shown = showResponse(aResponse(404), memo, SHOW_ALL).payload;
    expect(shown).toMatchObject({
      response_code: '404',
      response_status: 'Not Found',
      body: '',
      request: payload,
    });
    expect(shown).not.toHaveProperty('state');
  });

  it('leaves an omitted body out', () => {
    const memo = createMemo('permit', payload, null);
    const shown = showResponse(aResponse(200, [['content-encoding', 'gzip']], 'xx'), memo, SHOW_ALL);
    expect(shown.payload).not.toHaveProperty('body');
    expect(shown.body).toEqual({ kind: 'omitted', reason: 'content_encoding' });
  });
});

describe('the memo between the phases', () => {
  const memo: Memo = createMemo('fail_open', showRequest(aRequest(), SHOW_ALL).payload, undefined);

  it('tells how the request got through', () => {
    expect(readMemo(writeMemo(memo))).toEqual(memo);
    expect(memo.outcome).toBe('fail_open');
  });

  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['no JSON', '{"v":1'],
    ['null', 'null'],
    ['a list', '[1]'],
    ['of no version', JSON.stringify({ ...memo })],
    ['of another version', JSON.stringify({ ...memo, v: 2 })],
    ['without an outcome', JSON.stringify({ ...memo, v: 1, outcome: undefined })],
    ['with another outcome', JSON.stringify({ ...memo, v: 1, outcome: 'deny' })],
    ['without a method', JSON.stringify({ ...memo, v: 1, method: undefined })],
    ['without a url', JSON.stringify({ ...memo, v: 1, url: 7 })],
    ['with another http_version', JSON.stringify({ ...memo, v: 1, http_version: '2' })],
    ['with neither state nor request', JSON.stringify({ ...memo, v: 1, request: undefined })],
  ])('that is %s withholds the response', (_case, text) => {
    expect(() => readMemo(text)).toThrow(expect.objectContaining({ code: 'state_missing' }));
  });

  it('never shows in the error', () => {
    try {
      readMemo('hunter2');
      expect.unreachable();
    } catch (error) {
      expect(String(error)).not.toContain('hunter2');
      expect(error).toHaveProperty('cause', undefined);
    }
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
    expect([allowsBody(204, 'GET'), allowsBody(304, 'GET'), allowsBody(200, 'HEAD')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(allowsBody(200, 'GET')).toBe(true);
  });
});
