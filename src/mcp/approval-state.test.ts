import { describe, expect, it } from 'vitest';
import { APPROVAL_KEY, approvalState, withoutApproval } from './approval-state.js';
import { type McpMessage, readMessage } from './message.js';

const ARGUMENTS = '{"id":9007199254740993, "x":[1e400]}';
const call = (rest = '', method = 'tools/call') =>
  `{"jsonrpc":"2.0","id":1,"method":"${method}","params":{"name":"pay","arguments":${ARGUMENTS}${rest}}}`;
const read = (text: string) => readMessage(text) as McpMessage;
const strip = (text: string) => withoutApproval(read(text), text);
const stateFor = (text: string) => approvalState(read(text), text);
const state = (json: string) => `ping-auth-approval.1.${Buffer.from(json).toString('base64url')}`;
const OURS = stateFor(call());
const answer = (action: string) => `"${APPROVAL_KEY}":{"action":"${action}"}`;

describe('a retry', () => {
  it('goes on as the call that it was, verbatim', () => {
    const text = call(`,"inputResponses":{${answer('accept')}},"requestState":"${OURS}"`);
    expect(strip(text)).toEqual({ message: read(call()), text: call(), response: undefined });
    expect(strip(text)?.text).toContain(ARGUMENTS);
  });

  it.each(['decline', 'cancel'])('says that the person said %s', (action) => {
    for (const rest of [`,"requestState":"${OURS}"`, '', ',"requestState":"of the server"']) {
      expect(strip(call(`,"inputResponses":{${answer(action)}}${rest}`))?.response).toBe(action);
    }
  });

  it.each(['accept', 'approved', 'DECLINE', 'decline "', ''])('says nothing of %j', (action) => {
    expect(
      strip(call(`,"inputResponses":{${answer(action.replace('"', '\\"'))}}`))?.response,
    ).toBeUndefined();
  });

  it('says nothing of an answer in another shape', () => {
    for (const odd of ['"decline"', 'null', '["decline"]', '{"action":{"action":"decline"}}', '{}']) {
      const text = call(`,"inputResponses":{"${APPROVAL_KEY}":${odd}}`);
      expect(strip(text)).toMatchObject({ text: call(), response: undefined });
    }
  });

  it('keeps what it has for the server', () => {
    const own = '"form":{"action":"accept","content":{"n":1.10}}';
    expect(strip(call(`,"inputResponses":{${own},${answer('accept')}},"requestState":"s"`))?.text).toBe(
      call(`,"requestState":"s","inputResponses":{${own}}`),
    );
    expect(strip(call(`,"requestState":"${OURS}","inputResponses":{ ${own} }`))?.text).toBe(
      call(`,"inputResponses":{${own}}`),
    );
  });
});

describe('what a call had for the server when it was denied', () => {
  const form = '"form":{"action":"accept","content":{"n":9007199254740993}}';
  const before = call(`,"requestState":"s\\u00e9 \\"1\\"","inputResponses":{${form}}`);

  it('comes back with the retry', () => {
    const kept = stateFor(before);
    expect(strip(call(`,"requestState":"${kept}","inputResponses":{${answer('accept')}}`))?.text).toBe(
      call(`,"inputResponses":{${form}},"requestState":"s\\u00e9 \\"1\\""`),
    );
    // A client's own word about the same counts.
    const other = '"form":{"action":"decline"}';
    expect(
      strip(call(`,"requestState":"${kept}","inputResponses":{${other},${answer('accept')}}`))?.text,
    ).toBe(call(`,"inputResponses":{${other}},"requestState":"s\\u00e9 \\"1\\""`));
  });

  it('is given up when it is large', () => {
    const large = call(`,"requestState":"${'x'.repeat(60_000)}"`);
    expect(stateFor(large)).toBe(OURS);
    expect(strip(call(`,"requestState":"${OURS}"`))?.text).toBe(call());
  });
});

describe('what is not ours', () => {
  it.each([
    ['nothing', ''],
    ['a state of the server', ',"requestState":"s"'],
    ['one that starts like ours', ',"requestState":"ping-auth-approval.1."'],
    ['one that is ours but for a character', `,"requestState":"${OURS}="`],
    ['one in another alphabet', `,"requestState":"${state('{"requestState":"??>>"}').replace('_', '/')}/"`],
    ['one of another version', `,"requestState":"${OURS.replace('.1.', '.2.')}"`],
    ['one with something else in it', `,"requestState":"${state('{"approved":true}')}"`],
    ['one with a state that is no text', `,"requestState":"${state('{"requestState":{}}')}"`],
    ['one with a member twice', `,"requestState":"${state('{"requestState":"a","requestState":"b"}')}"`],
    ['one that is no JSON', `,"requestState":"${state('{"requestState"')}"`],
    ['one that is a list', `,"requestState":"${state('[]')}"`],
    [
      'one that is no UTF-8',
      `,"requestState":"ping-auth-approval.1.${Buffer.from([0xff]).toString('base64url')}"`,
    ],
    ['a huge one', `,"requestState":"${OURS}${'A'.repeat(8_000_000)}"`],
    ['a number', ',"requestState":1'],
    ['answers in another shape', ',"inputResponses":[]'],
    ['answers for the server', ',"inputResponses":{"form":{"action":"decline"}}'],
  ])('stays: %s', (_what, rest) => {
    expect(strip(call(rest))).toBeUndefined();
  });

  it('stays in methods that nobody approves', () => {
    expect(strip(call(`,"requestState":"${OURS}"`, 'tools/list'))).toBeUndefined();
    expect(strip('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')).toBeUndefined();
  });
});

describe('a state that a client made up', () => {
  it('brings nothing but what the client could have sent without it', () => {
    const made = state('{"inputResponses":{"a":{"b":[1]}},"requestState":"stolen"}');
    expect(strip(call(`,"requestState":"${made}"`))?.text).toBe(
      call(',"inputResponses":{"a":{"b":[1]}},"requestState":"stolen"'),
    );
  });

  it('does not hide another of ours', () => {
    const nested = state(JSON.stringify({ requestState: state(JSON.stringify({ requestState: OURS })) }));
    expect(strip(call(`,"requestState":"${nested}"`))?.text).toBe(call());
    const key = state(`{"inputResponses":{${answer('decline')}}}`);
    expect(strip(call(`,"requestState":"${key}"`))).toMatchObject({ text: call(), response: undefined });
  });

  it('makes no message that is not read strictly', () => {
    let deep = '1';
    for (let level = 0; level < 62; level += 1) deep = `[${deep}]`;
    const made = state(`{"inputResponses":{"a":${deep}}}`);
    expect(() => strip(call(`,"requestState":"${made}"`))).toThrow(
      expect.objectContaining({ code: 'mcp_message_invalid', rpcCode: -32700 }),
    );
  });
});
