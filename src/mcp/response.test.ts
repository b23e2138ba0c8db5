import { describe, expect, it } from 'vitest';
import { aResponse, text } from '../../test/model/messages.js';
import type { HeaderField } from '../http/headers.js';
import { MAX_LINES, readEventStream } from './event-stream.js';
import { McpError } from './message.js';
import { readMcpResponse } from './response.js';

const JSON_TYPE: HeaderField[] = [['content-type', 'application/json']];
const STREAM: HeaderField[] = [['content-type', 'text/event-stream']];
const RESULT = '{"jsonrpc":"2.0","id":7,"result":{"content":[]}}';
const NOTE = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1}}';
const ASKS = '{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}';
const events = (...messages: string[]) =>
  messages.map((data) => `event: message\ndata: ${data}\n\n`).join('');

function read(
  body: string | undefined,
  headers = JSON_TYPE,
  awaited: string | number | undefined = 7,
  status = 200,
) {
  return readMcpResponse(aResponse(status, headers, body ?? ''), body, awaited);
}

function withheld(...parts: Parameters<typeof read>): string | undefined {
  try {
    read(...parts);
  } catch (error) {
    if (error instanceof McpError) {
      expect(error).toMatchObject({ code: 'mcp_response_invalid', id: parts[2] ?? 7 });
      return error.words;
    }
    throw error;
  }
  return undefined;
}

describe('a response in JSON', () => {
  it('goes to the policy as it is', () => {
    const response = aResponse(200, JSON_TYPE, RESULT);
    expect(readMcpResponse(response, RESULT, 7)).toBe(response);
    expect(read('{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}').status).toBe(200);
  });

  it.each([
    ['another id', RESULT.replace('7', '8')],
    ['the id in another type', RESULT.replace('7', '"7"')],
    ['an error without id', '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}'],
    ['a batch', `[${RESULT}]`],
    ['a member twice', '{"jsonrpc":"2.0","id":7,"result":{"content":1,"c\\u006fntent":2}}'],
    ['names that differ in case', '{"jsonrpc":"2.0","id":7,"result":{"content":[],"Content":[]}}'],
    ['no JSON', 'oops'],
    ['a byte order mark', `\ufeff${RESULT}`],
    ['a notification', NOTE],
    ['a request', ASKS],
    ['nothing', ''],
    ['a body that is no text', undefined],
  ])('is withheld with %s', (_what, body) => {
    expect(withheld(body)).toBeDefined();
  });

  it.each([['text/html'], ['application/json; charset=utf-16'], ['application/json; x=text/event-stream']])(
    'is withheld as %s',
    (type) => {
      expect(withheld(RESULT, [['content-type', type]])).toBe('neither JSON nor an event stream');
    },
  );

  it('is withheld without a type, and with two', () => {
    expect(withheld(RESULT, [])).toBeDefined();
    expect(withheld(RESULT, [...JSON_TYPE, ...STREAM])).toBeDefined();
  });
});

describe('an event stream', () => {
  it('becomes the one response in it', () => {
    const headers: HeaderField[] = [
      ...STREAM,
      ['cache-control', 'no-cache'],
      ['x-accel-buffering', 'no'],
      ['mcp-session-id', 's1'],
    ];
    const response = read(`: ping\n\n${events(NOTE, NOTE, RESULT)}`, headers);
    expect(text(response.body)).toBe(RESULT);
    expect([...response.headers]).toEqual([
      ['mcp-session-id', 's1'],
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
    ]);
  });

  it('may go on after the response, with notifications', () => {
    expect(text(read(events(RESULT, NOTE), STREAM).body)).toBe(RESULT);
  });

  it.each([
    ['a request of the server', events(ASKS, RESULT), 'a request of the server, which cannot be answered'],
    ['no response', events(NOTE), 'a stream without a response'],
    ['nothing', '', 'a stream without a response'],
    ['only the start for a client that resumes', 'id: 1\nretry: 5\ndata:\n\n', 'a stream without a response'],
    ['two responses', events(RESULT, RESULT), 'two responses'],
    ['another id', events(RESULT.replace('7', '8')), 'a response with the id of another request'],
    [
      'another id first',
      events(RESULT.replace('7', '8'), RESULT),
      'a response with the id of another request',
    ],
    ['no JSON', events('oops', RESULT), 'the body is not JSON'],
    ['a batch', events(`[${NOTE}]`, RESULT), 'batches are not accepted, send each message on its own'],
    [
      'a notification of two readings',
      events('{"jsonrpc":"2.0","method":"a","method":"b"}', RESULT),
      undefined,
    ],
    ['a response that is cut off', events(RESULT).slice(0, -1), 'the stream ends in the middle of an event'],
    [
      'very many small messages',
      events(...Array<string>(2000).fill(NOTE), RESULT),
      'the body holds more than 10000 values',
    ],
    [
      'very many lines',
      `${'\n'.repeat(MAX_LINES)}${events(RESULT)}`,
      `the stream has more than ${MAX_LINES} lines`,
    ],
    ['a byte order mark', `\ufeff${events(RESULT)}`, 'the stream starts with a byte order mark'],
    ['a body over the limit', undefined, 'the body is no text in UTF-8 or over the limit'],
  ])('is withheld with %s', (_what, body, words) => {
    expect(withheld(body, STREAM)).toEqual(words ?? expect.any(String));
  });

  it('is withheld where none belongs', () => {
    expect(withheld(events(RESULT), STREAM, 7, 500)).toBe('a stream where none belongs');
    expect(() => readMcpResponse(aResponse(200, STREAM, ''), '', undefined)).toThrow('where none belongs');
  });

  it.each([
    ['CRLF', 'data: a\r\n\r\n', ['a']],
    ['CR', 'data: a\r\rdata: b\r\r', ['a', 'b']],
    ['several lines of data', 'data: {\ndata:  1\ndata:}\n\n', ['{\n 1\n}']],
    ['no blank after the colon', 'data:a\n\n', ['a']],
    ['fields of all kinds', 'id: 1\nretry: 2\nevent: message\nfoo: x\nfoo\n: y\ndata: a\n\n', ['a']],
    ['events of another type', 'event: endpoint\ndata: /x\n\ndata: a\n\n', ['a']],
    ['blank lines', '\n\n\ndata: a\n\n\n\n', ['a']],
    ['a line separator that is none here', 'data: a\u2028data: b\n\n', ['a\u2028data: b']],
    ['no data', 'data\n\ndata:\n\nid: 1\n\n', []],
  ])('is read with %s', (_what, stream, messages) => {
    expect(readEventStream(stream)).toEqual({ messages });
  });
});

describe('what is no answer to a request', () => {
  const raw = (
    status: number,
    headers: HeaderField[],
    body: string,
    awaited: number | undefined = undefined,
  ) => {
    const response = aResponse(status, headers, body);
    expect(readMcpResponse(response, body, awaited)).toBe(response);
  };

  it('passes like any other response', () => {
    raw(202, [], '');
    raw(202, [['content-type', 'text/plain']], 'Accepted');
    raw(404, [['content-type', 'text/html']], '<p>no</p>', 7);
    raw(401, JSON_TYPE, '{"error":"invalid_token"}', 7);
    raw(307, [['location', '/x']], '', 7);
    raw(400, JSON_TYPE, '{"jsonrpc":"2.0","error":{"code":-32000,"message":"x"},"id":null}', 7);
    raw(404, JSON_TYPE, '{"jsonrpc":"2.0","error":{"code":-32601,"message":"x"},"id":7}', 7);
  });

  it('is withheld when it can be read in two ways or belongs to another request', () => {
    expect(withheld('{"error":"a","error":"b"}', JSON_TYPE, 7, 401)).toBe('the body is a member twice');
    expect(
      withheld('{"jsonrpc":"2.0","error":{"code":1,"message":"x"},"id":8}', JSON_TYPE, 7, 400),
    ).toBeDefined();
    expect(withheld(ASKS, JSON_TYPE, 7, 400)).toBeDefined();
    const response = aResponse(202, JSON_TYPE, RESULT);
    expect(() => readMcpResponse(response, RESULT, undefined)).toThrow('another request');
  });
});
