import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { headerParts, inParts } from '../../test/model/decisions.js';
import { aResponse, text } from '../../test/model/messages.js';
import type { HeaderField } from '../http/headers.js';
import type { HttpResponse } from '../http/message.js';
import { applyResponseChanges, rebaseChanges } from './apply.js';
import { NO_RESPONSE_CHANGES, type ResponseChanges } from './decision.js';
import { decideResponse } from './response-decision.js';

const MESSAGE = '{"jsonrpc":"2.0","id":1,"result":{"secret":4711}}';
const STREAM: HeaderField[] = [
  ['content-type', 'text/event-stream'],
  ['cache-control', 'no-cache, no-transform'],
  ['transfer-encoding', 'chunked'],
  ['connection', 'keep-alive'],
  ['date', 'Wed, 25 Nov 2026 18:00:00 GMT'],
  ['x-accel-buffering', 'no'],
  ['mcp-session-id', 's1'],
  ['set-cookie', 'a=1'],
  ['set-cookie', 'b=2'],
];
const ORIGINAL = aResponse(200, STREAM, `event: message\ndata: ${MESSAGE}\n\n`);
/** What of the stream the policy is shown. */
const SHOWN = aResponse(
  200,
  [
    ...STREAM.filter(([name]) => !['content-type', 'cache-control', 'x-accel-buffering'].includes(name)),
    ['content-type', 'application/json'],
    ['cache-control', 'no-store'],
  ],
  MESSAGE,
);

/** What the client gets when the policy answers with these headers in place of the ones that it was shown. */
function sent(
  answer: { status?: number; headers?: readonly HeaderField[]; body?: string },
  original: HttpResponse = ORIGINAL,
  shown: HttpResponse = SHOWN,
) {
  const { status = shown.status, headers = [...shown.headers], body = text(shown.body) } = answer;
  const { changes } = decideResponse(
    { responseCode: status, headers, body },
    shown,
    { kind: 'text', text: text(shown.body) ?? '' },
    'POST',
  );
  const replaced = rebaseChanges(original, shown, changes);
  return { changes: replaced, response: applyResponseChanges(original, replaced, 'POST') };
}
const changed = (changes: ResponseChanges) => ({
  set: Object.fromEntries(headerParts(changes.headers).set),
  remove: headerParts(changes.headers).remove.sort(),
});

describe('another form of a response in its place', () => {
  it('goes out even where the policy changed nothing, with the headers that belong to it', () => {
    const { changes, response } = sent({});
    expect(changes.status).toBeUndefined();
    expect(text(changes.body)).toBe(MESSAGE);
    expect(changed(changes)).toEqual({
      set: { 'content-type': ['application/json'], 'cache-control': ['no-store'] },
      remove: ['x-accel-buffering'],
    });
    expect(response.headers.getAll('set-cookie')).toEqual(['a=1', 'b=2']);
    expect(response.headers.get('mcp-session-id')).toBe('s1');
  });

  it('goes out with what the policy made of it', () => {
    const headers: HeaderField[] = [
      ...[...SHOWN.headers].filter(([name]) => name !== 'mcp-session-id' && name !== 'cache-control'),
      ['x-policy', '1'],
    ];
    const { changes, response } = sent({ headers, body: '{}' });
    expect(text(changes.body)).toBe('{}');
    expect(changed(changes)).toEqual({
      set: { 'content-type': ['application/json'], 'x-policy': ['1'] },
      remove: ['cache-control', 'mcp-session-id', 'x-accel-buffering'],
    });
    expect(response.headers.get('content-length')).toBe('2');
  });

  it('never goes out as bytes of the original with another status', () => {
    const { changes } = sent({ status: 403 });
    expect([changes.status, text(changes.body)]).toEqual([403, MESSAGE]);
    const empty = sent({ status: 403, body: '' }).changes;
    expect([empty.status, empty.body?.length]).toEqual([403, 0]);
    const none = sent({ status: 204 }).changes;
    expect([none.status, none.body?.length]).toEqual([204, 0]);
  });

  it('takes off what was true of the bytes of the original', () => {
    const coded: HeaderField[] = [
      ['content-encoding', 'gzip'],
      ['etag', '"v1"'],
      ['digest', 'sha-256=x'],
    ];
    const original = aResponse(200, [...STREAM, ...coded], gzipSync(ORIGINAL.body));
    const shown = aResponse(200, [...SHOWN.headers, ...coded], SHOWN.body);
    for (const answer of [{}, { headers: [...SHOWN.headers] }, { headers: [...shown.headers], body: '{}' }]) {
      const { response } = sent(answer, original, shown);
      for (const [name] of coded) expect(response.headers.has(name), name).toBe(false);
    }
    const own: HeaderField[] = [...SHOWN.headers, ['etag', '"v2"']];
    expect(sent({ headers: own }, original, shown).response.headers.get('etag')).toBe('"v2"');
  });

  it('brings no length and no framing of its own', () => {
    const denial = aResponse(
      200,
      [
        ['content-length', '3'],
        ['content-type', 'application/json'],
      ],
      '{"error":1}',
    );
    const original = aResponse(200, [...STREAM, ['content-length', '999']]);
    const { headers, body } = inParts(
      rebaseChanges(original, denial, { ...NO_RESPONSE_CHANGES, status: 200 }),
    );
    expect([...headers.set.keys()]).toEqual(['content-type']);
    for (const name of ['content-length', 'transfer-encoding', 'connection', 'date'])
      expect(headers.remove).not.toContain(name);
    expect(headers.remove).toContain('mcp-session-id');
    expect(text(body)).toBe('{"error":1}');
  });
});
