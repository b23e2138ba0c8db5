import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendRequest } from '../http-client.js';
import { answerPath, testBytes, testText } from './answers.js';
import { startUpstream, type Upstream } from './server.js';

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream.close());

describe('the upstream', () => {
  it('shows and keeps what reached it, order, case and repeats of headers included', async () => {
    upstream.clear();
    const answer = await sendRequest(upstream.url, {
      method: 'PUT',
      path: '/a/../b?x=%2F',
      headers: [
        ['X-Test-Id', 'one'],
        ['X-A', '1'],
        ['x-a', '2'],
      ],
      body: 'grüße',
    });
    const received = upstream.requests[0];
    expect(answer.json()).toEqual(received);
    expect(received).toMatchObject({
      id: 'one',
      method: 'PUT',
      url: '/a/../b?x=%2F',
      bodyLength: 7,
      bodySha256: createHash('sha256').update('grüße').digest('hex'),
      bodyText: 'grüße',
    });
    expect(received?.headers.filter(([name]) => /^x-a$/i.test(name))).toEqual([
      ['X-A', '1'],
      ['x-a', '2'],
    ]);
    expect((await sendRequest(upstream.url, { path: '/_requests' })).json()).toHaveLength(1);
  });

  it('gives back bytes unchanged', async () => {
    const body = testBytes(256);
    const answer = await sendRequest(upstream.url, {
      method: 'POST',
      path: '/some/mirror',
      headers: [['Content-Type', 'image/x-test']],
      body,
    });
    expect(answer.body).toEqual(body);
    expect(answer.header('content-type')).toBe('image/x-test');
    expect([...body]).toEqual([...Array(256).keys()]);
    expect(upstream.requests.at(-1)).toMatchObject({ bodyLength: 256 });
    expect(upstream.requests.at(-1)?.bodyText).toBeUndefined();
  });

  it('answers as its special paths say', async () => {
    const get = (path: string) => sendRequest(upstream.url, { path });
    expect((await get('/v1/bytes/5000')).body).toEqual(testBytes(5000));
    expect((await get('/text/100')).body).toEqual(testText(100));
    expect((await get('/status/418')).status).toBe(418);
    expect((await get('/headers')).all('set-cookie')).toEqual(['a=1; Path=/', 'b=2; HttpOnly']);
    expect((await get('/many-headers/1100')).headers.length).toBeGreaterThan(1100);
    expect(gunzipSync((await get('/gzip')).body)).toEqual(testText(2000));
    expect((await get('/stream/2')).text()).toBe('data: 0\n\ndata: 1\n\n');
    const empty = await get('/empty204');
    expect([empty.status, empty.header('content-length')]).toEqual([204, undefined]);
    await expect(get('/cut')).rejects.toThrow('aborted');
    const told = await get(
      answerPath({
        status: 302,
        headers: [
          ['Location', '/x'],
          ['A', '1'],
          ['A', '2'],
        ],
        body: 'b',
      }),
    );
    expect([told.status, told.header('location'), told.all('a'), told.text()]).toEqual([
      302,
      '/x',
      ['1', '2'],
      'b',
    ]);
  });
});
