import { describe, expect, it } from 'vitest';
import { McpError, methodLabel, readMessage } from './message.js';

const CALL = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'echo', arguments: { a: 1 } } };
const manyMembers = (): [string, unknown][] =>
  Array.from({ length: 1001 }, (_, n) => [n === 0 ? 'name' : `m${n}`, 'echo']);
const read = (value: unknown) => readMessage(typeof value === 'string' ? value : JSON.stringify(value));
const fault = (value: unknown) => {
  try {
    read(value);
  } catch (error) {
    if (error instanceof McpError && error.code === 'mcp_message_invalid')
      return { code: error.rpcCode, id: error.id };
    throw error;
  }
  return undefined;
};

describe('a request', () => {
  it('is read with what it is about', () => {
    expect(read(CALL)).toEqual({
      kind: 'request',
      id: 7,
      method: 'tools/call',
      name: 'echo',
      protocolVersion: undefined,
      params: CALL.params,
    });
    const uri = { ...CALL, id: 'a', method: 'resources/read', params: { uri: 'file:///é' } };
    expect(read(uri)).toMatchObject({ id: 'a', name: 'file:///é' });
    const task = { ...CALL, method: 'tasks/get', params: { taskId: 't1' } };
    expect(read(task)).toMatchObject({ name: 't1' });
    expect(read({ ...CALL, method: 'tools/list', params: { name: 'x' } })).toMatchObject({ name: undefined });
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
    expect(read({ ...CALL, params: { name: 'x', _meta } })).toMatchObject({ protocolVersion: '2026-07-28' });
  });

  it('without id is a notification', () => {
    expect(read({ jsonrpc: '2.0', method: 'notifications/initialized' })).toMatchObject({
      kind: 'notification',
    });
  });

  it('that is no JSON in one reading only is a parse error without id', () => {
    for (const text of ['{', '\ufeff{}', '{"id":1,"id":2}', '{"id":1,"x":"\\ud800"}', '['.repeat(99)]) {
      expect(fault(text)).toMatchObject({ code: -32700, id: undefined });
    }
  });

  it.each([
    ['a batch', [CALL]],
    ['an empty batch', []],
    ['a scalar', '"x"'],
    ['null', 'null'],
    ['another version', { ...CALL, jsonrpc: '1.0' }],
    ['no version', { id: 1, method: 'ping' }],
    ['id null', { ...CALL, id: null }],
    ['id true', { ...CALL, id: true }],
    ['an id that is no integer', { ...CALL, id: 1.5 }],
    ['an id that is an object', { ...CALL, id: {} }],
    ['an id that others read otherwise', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}'],
    ['an id out of range', '{"jsonrpc":"2.0","id":1e400,"method":"ping"}'],
    ['an id of a megabyte', { ...CALL, id: 'x'.repeat(1e6) }],
    ['no method', { jsonrpc: '2.0', id: 1 }],
    ['a method that is no string', { ...CALL, method: 1 }],
    ['an empty method', { ...CALL, method: '' }],
    ['a method that no header can hold', { ...CALL, method: 'tools/call\n' }],
    ['a method that a server without regard to case would know', { ...CALL, method: 'Tools/Call' }],
    ['a method of many characters', { ...CALL, method: 'x'.repeat(200) }],
    ['params in an array', { ...CALL, params: ['echo'] }],
    ['params null', { ...CALL, params: null }],
    ['a call without a name', { ...CALL, params: {} }],
    ['a call without params', { ...CALL, params: undefined }],
    ['a name that is no string', { ...CALL, params: { name: 1 } }],
    ['an empty name', { ...CALL, params: { name: '' } }],
    ['params with thousands of members', { ...CALL, params: Object.fromEntries(manyMembers()) }],
    ['a name of many characters', { ...CALL, params: { name: 'x'.repeat(5000) } }],
    ['a read without a URI', { ...CALL, method: 'resources/read' }],
    ['method and result', { ...CALL, result: {} }],
    ['method and error', { ...CALL, error: { code: 1, message: '' } }],
    [
      'a version that is no string',
      { ...CALL, params: { name: 'x', _meta: { 'io.modelcontextprotocol/protocolVersion': 1 } } },
    ],
  ])('with %s is invalid', (_what, value) => {
    expect(fault(value)).toMatchObject({ code: -32600 });
  });

  it('keeps its id in the error where it is one', () => {
    expect(fault({ ...CALL, jsonrpc: '1.0' })?.id).toBe(7);
    expect(fault({ ...CALL, params: [], id: 'a' })?.id).toBe('a');
    expect(fault({ ...CALL, id: null })?.id).toBeUndefined();
    expect(fault([CALL])?.id).toBeUndefined();
  });

  it.each([
    ['Method beside method', '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}'],
    ['METHOD instead of method', '{"jsonrpc":"2.0","id":1,"METHOD":"ping"}'],
    ['ID for a notification', '{"jsonrpc":"2.0","ID":1,"method":"ping"}'],
    ['Result', '{"jsonrpc":"2.0","id":1,"method":"ping","Result":{}}'],
    ['Params', '{"jsonrpc":"2.0","id":1,"method":"tools/list","Params":{"name":"x"}}'],
    ['an s that Go takes for one', '{"jsonrpc":"2.0","id":1,"method":"tools/list","param\u017f":{}}'],
    ['Name beside name', { ...CALL, params: { name: 'a', Name: 'b' } }],
    ['Name instead of name', { ...CALL, method: 'tools/list', params: { Name: 'b' } }],
    ['URI', { ...CALL, params: { name: 'a', URI: 'b' } }],
    ['Arguments', { ...CALL, params: { name: 'a', Arguments: {} } }],
    ['a dotless i', { ...CALL, params: { name: 'a', ur\u0131: 'b' } }],
    ['a dotted I', { ...CALL, params: { name: 'a', ur\u0130: 'b' } }],
    ['a name that ends at a NUL', { ...CALL, params: { name: 'a', 'name\0x': 'b' } }],
    ['two of nobody', { ...CALL, params: { name: 'a', own: 1, OWN: 2 } }],
    ['a Kelvin sign', { ...CALL, params: { name: 'a', k: 1, '\u212a': 2 } }],
  ])('is invalid with names that differ in case only: %s', (_what, value) => {
    expect(fault(value)).toMatchObject({ code: -32600 });
  });

  it('may have what the specification does not know, and any names deeper down', () => {
    const params = { name: 'a', own: 1, arguments: { Name: 1, name: 2, NAME: 3 } };
    expect(read({ ...CALL, params, extra: true })).toMatchObject({ kind: 'request', name: 'a' });
  });
});

describe('a response', () => {
  it('is one with result or error', () => {
    expect(read({ jsonrpc: '2.0', id: 1, result: {} })).toEqual({ kind: 'response', id: 1, isError: false });
    const error = { code: -32601, message: 'no' };
    expect(read({ jsonrpc: '2.0', id: 'x', error })).toEqual({ kind: 'response', id: 'x', isError: true });
    expect(read({ jsonrpc: '2.0', id: null, error })).toMatchObject({ kind: 'response', id: undefined });
    expect(read({ jsonrpc: '2.0', error })).toMatchObject({ kind: 'response', id: undefined });
  });

  it.each([
    ['both', { jsonrpc: '2.0', id: 1, result: {}, error: { code: 1, message: '' } }],
    ['a result without id', { jsonrpc: '2.0', result: {} }],
    ['a result with id null', { jsonrpc: '2.0', id: null, result: {} }],
    ['an id of the wrong kind', { jsonrpc: '2.0', id: [], error: { code: 1, message: '' } }],
    ['a result that is no object', { jsonrpc: '2.0', id: 1, result: 'x' }],
    ['result null', { jsonrpc: '2.0', id: 1, result: null }],
    ['an error without code', { jsonrpc: '2.0', id: 1, error: { message: '' } }],
    ['an error without message', { jsonrpc: '2.0', id: 1, error: { code: 1 } }],
    ['Content beside content', { jsonrpc: '2.0', id: 1, result: { content: [], Content: [] } }],
    ['Tools instead of tools', { jsonrpc: '2.0', id: 1, result: { Tools: [] } }],
    ['Error beside result', { jsonrpc: '2.0', id: 1, result: {}, Error: {} }],
    ['Message in an error', { jsonrpc: '2.0', id: 1, error: { code: 1, message: '', Message: '' } }],
  ])('is none with %s', (_what, value) => {
    expect(fault(value)).toBeDefined();
  });
});

it('a metric has labels for known methods only', () => {
  const label = (method: string) => methodLabel({ method });
  expect(label('tools/call')).toBe('tools/call');
  expect(label('tools/call2')).toBe('other');
  expect(label('TOOLS/CALL')).toBe('other');
});
