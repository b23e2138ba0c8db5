import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { argumentsDigest } from './arguments-digest.js';
import { type McpMessage, readMessage } from './message.js';

const digestOf = (text: string) => argumentsDigest(readMessage(text) as McpMessage, text);
const call = (args: string, rest = '') =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"pay","arguments":${args}${rest}}}`;
const sha256 = (json: string) => `sha-256=:${createHash('sha256').update(json).digest('base64')}:`;

describe('the digest of a call', () => {
  it('is SHA-256 over method, name and arguments in canonical JSON', () => {
    expect(digestOf(call('{ "to": "Zoë", "amount": 1.50 }'))).toBe(
      sha256('{"arguments":{"amount":1.5,"to":"Zoë"},"method":"tools/call","name":"pay"}'),
    );
    expect(
      digestOf('{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a?b=\\u0063"}}'),
    ).toBe(sha256('{"method":"resources/read","name":"file:///a?b=c"}'));
  });

  it('is one for every spelling of a call, and ignores its id, its _meta and its state', () => {
    const [first, ...others] = [
      call('{"a":1,"b":[1,2,{"x":null}]}'),
      call('{ "b":[1.0,2e0,{"x":null}], "\\u0061":1 }'),
      call('{"a":1,"b":[1,2,{"x":null}]}').replace('"id":1', '"id":"z"'),
      call('{"a":1,"b":[1,2,{"x":null}]}', ',"_meta":{"x":1},"requestState":"s","inputResponses":{}'),
    ].map(digestOf);
    expect(first).toMatch(/^sha-256=:[A-Za-z0-9+/]{43}=:$/);
    for (const other of others) expect(other).toBe(first);
  });

  it.each([
    ['another argument', call('{"a":2}')],
    ['one more', call('{"a":1,"b":null}')],
    ['a string', call('{"a":"1"}')],
    ['a list in another order', call('{"a":[2,1]}')],
    ['another tool', call('{"a":1}').replace('pay', 'Pay')],
    ['a prompt of that name', call('{"a":1}').replace('tools/call', 'prompts/get')],
    ['none', call('{}')],
    ['none at all', call('{}').replace(',"arguments":{}', '')],
  ])('differs for %s', (_what, text) => {
    expect(digestOf(text)).toBeDefined();
    expect(digestOf(text)).not.toBe(digestOf(call('{"a":1}')));
  });

  it.each([
    ...['9007199254740993', '-9007199254740993', '1e400', '0.1000000000000000055', '1e-400'],
    ...['9007199254740992.5', '123456789012345678901234567890', '1e99999999999'],
  ])('is none with a number that readers take for different ones: %s', (number) => {
    expect(digestOf(call(`{"a":[{"b":${number}}]}`))).toBeUndefined();
    // In a string, in _meta or in the id it is no argument.
    expect(digestOf(call(`{"a":"${number}","\\"b":"\\\\"}`))).toBeDefined();
    expect(digestOf(call('{}', `,"_meta":{"x":${number}}`))).toBeDefined();
  });

  it('is there for megabytes of text full of escapes', () => {
    expect(digestOf(call(`{"a":"${'\\n1e999'.repeat(300_000)}","b":12}`))).toBeDefined();
  });

  it.each(['0.1', '1e21', '9007199254740992', '0.30', '100000000000000000000', '-0', '0.0', '5e-324', '1E2'])(
    'is there with a number that is not odd: %s',
    (number) => {
      expect(digestOf(call(`{"a":${number}}`))).toBeDefined();
    },
  );
});
