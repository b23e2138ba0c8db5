import { describe, expect, it } from 'vitest';
import { bytes, text } from '../../test/model/messages.js';
import { PingAuthError } from '../errors/ping-auth-error.js';
import { type HeaderField, HeaderList } from '../http/headers.js';
import type { ResponseToSend } from '../http/message.js';
import { denialForAgent, errorResponseForAgent } from './denial.js';
import type { McpMessage } from './message.js';
import { McpError } from './message.js';

const ABOUT = { method: 'tools/call', name: 'x', protocolVersion: undefined, params: undefined };
const REQUEST: McpMessage = { kind: 'request', id: 'a1', ...ABOUT };
const JSON_TYPE: HeaderField = ['content-type', 'application/json'];

const response = (status: number, body: string, headers: readonly HeaderField[] = [JSON_TYPE]) => ({
  status,
  headers: HeaderList.from(headers),
  body: bytes(body),
});
const json = ({ body }: ResponseToSend) => JSON.parse(text(body) ?? '') as unknown;
const wordsOf = (body: string, headers?: readonly HeaderField[]) =>
  (json(denialForAgent(response(403, body, headers), REQUEST.id)) as { error: { message: string } }).error
    .message;

describe('a denial', () => {
  it('becomes a JSON-RPC error with the id of the request', () => {
    const denial = response(403, '{"code":"X","message":"Only admins may."}', [
      JSON_TYPE,
      ['cache-control', 'private'],
      ['content-language', 'en'],
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]);
    const sent = denialForAgent(denial, REQUEST.id);
    expect(sent.status).toBe(200);
    expect(json(sent)).toEqual({
      jsonrpc: '2.0',
      id: 'a1',
      error: { code: 403, message: 'Only admins may.', data: { status: 403 } },
    });
    expect([...sent.headers]).toEqual([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
    ]);
  });

  it.each([
    ['401', response(401, '{}'), REQUEST],
    [
      'a challenge',
      response(403, '{}', [JSON_TYPE, ['www-authenticate', 'Bearer error="insufficient_scope"']]),
      REQUEST,
    ],
    ['a redirect', response(302, '', [['location', '/login']]), REQUEST],
    ['an answer of its own', response(200, '{}'), REQUEST],
    ['a notification', response(403, '{}'), { kind: 'notification', ...ABOUT }],
    ['no message at all', response(403, '{}'), undefined],
  ] as [string, ResponseToSend, McpMessage | undefined][])('stays as it is: %s', (_what, denial, message) => {
    expect(denialForAgent(denial, message?.id)).toBe(denial);
  });

  it('says in words what the policy says', () => {
    expect(wordsOf('{"detail":"D","error_description":"E"}')).toBe('D');
    expect(wordsOf('{"error":"access_denied","error_description":"E"}')).toBe('E');
    expect(wordsOf('{"message":"","detail":"D"}')).toBe('D');
    expect(wordsOf('{"detail":"D"}', [['content-type', 'application/problem+json; charset=utf-8']])).toBe(
      'D',
    );
    expect(wordsOf('not for you', [['content-type', 'text/plain; charset=utf-8']])).toBe('not for you');
    expect(wordsOf('not for you', [])).toBe('not for you');
  });

  it('says that it is one where the policy has no words for a model', () => {
    const words = 'Denied by the policy (403 Forbidden)';
    expect(wordsOf('<html>no</html>', [['content-type', 'text/html']])).toBe(words);
    expect(wordsOf('{"message":{"a":1}}')).toBe(words);
    expect(wordsOf('["x"]')).toBe(words);
    expect(wordsOf('{')).toBe(words);
    expect(wordsOf('')).toBe(words);
    expect(wordsOf(' \n ', [['content-type', 'text/plain']])).toBe(words);
  });

  it('says so printably, on one line, and briefly', () => {
    expect(wordsOf(JSON.stringify({ message: ' a\r\n\tb\u0000c\u202ed\u200b ' }))).toBe('a b c d');
    const long = wordsOf(JSON.stringify({ message: '😀'.repeat(600) }));
    expect([...long]).toHaveLength(500);
    expect(long.endsWith('😀…')).toBe(true);
  });
});

describe('a refusal of ours', () => {
  const refused = (status: number) =>
    response(status, JSON.stringify({ code: 'X', message: 'M', request_id: 'r1' }), [
      ['content-type', 'application/json; charset=utf-8'],
      ['cache-control', 'no-store'],
      ['retry-after', '5'],
    ]);

  it('keeps its status and says in JSON-RPC why', () => {
    const sent = errorResponseForAgent(refused(503), new PingAuthError('provider_circuit_open'), 7);
    expect(sent.status).toBe(503);
    expect(json(sent)).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: {
        code: 503,
        message: 'The policy service is unavailable',
        data: { status: 503, request_id: 'r1' },
      },
    });
    expect([...sent.headers]).toEqual([
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
      ['retry-after', '5'],
    ]);
  });

  it('of a message tells the client what is wrong with it', () => {
    const error = new McpError('mcp_headers_disagree', -32020, 'Mcp-Name is missing', 'x');
    expect(json(errorResponseForAgent(refused(400), error, undefined))).toMatchObject({
      id: 'x',
      error: {
        code: -32020,
        message: 'The headers do not agree with the message: Mcp-Name is missing',
        data: { status: 400 },
      },
    });
  });

  it('has no id where none could be read', () => {
    const error = new McpError('mcp_message_invalid', -32700, 'the body is not JSON');
    expect(json(errorResponseForAgent(refused(400), error, undefined))).not.toHaveProperty('id');
  });

  it('of a response tells nothing of it', () => {
    const error = new McpError('mcp_response_invalid', -32603, 'two responses', 7);
    const sent = errorResponseForAgent(refused(502), error, 7);
    expect(text(sent.body)).not.toContain('two responses');
    expect(json(sent)).toMatchObject({ id: 7, error: { code: -32603 } });
  });

  it('of a GET says what is allowed', () => {
    const error = new McpError('mcp_method_not_allowed', -32600, 'no');
    expect(errorResponseForAgent(refused(405), error, undefined).headers.get('allow')).toContain('POST');
  });
});
