import { describe, expect, it } from 'vitest';
import { type HeaderField, HeaderList } from '../http/header-list.js';
import { readMessage } from './message.js';
import { KnownParamHeaders } from './param-headers.js';

const string = (header: string) => ({ type: 'string', 'x-mcp-header': header });
const list = (name: string, properties: object) =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: { tools: [{ name, inputSchema: { type: 'object', properties } }] },
  });
const SCHEMA = {
  region: string('Region'),
  count: { type: 'integer', 'x-mcp-header': 'Count' },
  dry: { type: 'boolean', 'x-mcp-header': 'Dry' },
  place: { type: 'object', properties: { city: string('City') } },
  query: { type: 'string' },
};

function check(
  args: unknown,
  headers: readonly HeaderField[],
  version = '2026-07-28',
  learnt = list('sql', SCHEMA),
) {
  const known = new KnownParamHeaders();
  known.learn('a', learnt);
  const params = { name: 'sql', arguments: args };
  const message = readMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
  if (message.kind !== 'request') throw new Error('it is a request');
  const all = HeaderList.from([['mcp-protocol-version', version], ...headers]);
  return { own: known.disagreement('a', message, all), other: known.disagreement('b', message, all) };
}

describe('headers that repeat arguments', () => {
  it.each([
    ['text', { region: 'eu' }, 'region', 'eu'],
    ['text in base64', { region: 'Zürich' }, 'region', '=?base64?WsO8cmljaA==?='],
    ['an integer', { count: 42 }, 'count', '42'],
    ['an integer written otherwise', { count: 42 }, 'count', '42.0'],
    ['a boolean', { dry: false }, 'dry', 'false'],
    ['something inside', { place: { city: 'Bern' } }, 'city', 'Bern'],
    ['what no schema speaks of', {}, 'other', 'x'],
  ])('agree: %s', (_what, args, header, value) => {
    expect(check(args, [[`mcp-param-${header}`, value]]).own).toBeUndefined();
  });

  it.each([
    [
      'another text',
      { region: 'eu' },
      [['mcp-param-region', 'us']],
      'mcp-param-region is not what the argument is',
    ],
    [
      'another integer',
      { count: 42 },
      [['mcp-param-count', '43']],
      'mcp-param-count is not what the argument is',
    ],
    [
      'an odd integer',
      { count: 42 },
      [['mcp-param-count', '0x2a']],
      'mcp-param-count is not what the argument is',
    ],
    [
      'another boolean',
      { dry: true },
      [['mcp-param-dry', 'TRUE']],
      'mcp-param-dry is not what the argument is',
    ],
    [
      'a list',
      { region: ['eu'] },
      [['mcp-param-region', 'eu']],
      'mcp-param-region is not what the argument is',
    ],
    ['none', { region: 'eu' }, [], 'mcp-param-region is missing'],
    [
      'no argument',
      {},
      [['mcp-param-region', 'eu']],
      'mcp-param-region says something that is not in the arguments',
    ],
    [
      'null',
      { region: null },
      [['mcp-param-region', 'null']],
      'mcp-param-region says something that is not in the arguments',
    ],
    [
      'two',
      { region: 'eu' },
      [
        ['mcp-param-region', 'eu'],
        ['mcp-param-region', 'eu'],
      ],
      'mcp-param-region occurs twice',
    ],
    [
      'a CGI name',
      { region: 'eu' },
      [
        ['mcp-param-region', 'eu'],
        ['mcp_param_region', 'x'],
      ],
      'mcp-param-region occurs twice',
    ],
    [
      'no arguments at all',
      undefined,
      [['mcp-param-city', 'Bern']],
      'mcp-param-city says something that is not in the arguments',
    ],
  ] as [string, unknown, HeaderField[], string][])('disagree: %s', (_what, args, headers, words) => {
    expect(check(args, headers)).toEqual({ own: words, other: undefined });
  });

  it('are not required by earlier revisions', () => {
    expect(check({ region: 'eu' }, [], '2025-11-25').own).toBeUndefined();
    expect(check({ region: 'eu' }, [['mcp-param-region', 'us']], '2025-11-25').own).toBeDefined();
  });

  it.each([
    ['below anything but properties', { a: { items: { properties: { b: string('X') } } } }],
    ['twice', { a: string('X'), b: string('x') }],
    ['with a name that is none', { a: string('X Y') }],
    ['in a list that is none', 'no'],
  ])('are not looked for when annotated %s', (_what, properties) => {
    const learnt = typeof properties === 'string' ? '{"result":{}}' : list('sql', properties);
    expect(check({ a: 'v', b: 'v' }, [['mcp-param-x', 'other']], undefined, learnt).own).toBeUndefined();
  });

  it('are known for a bounded number of tools, the last ones', () => {
    const known = new KnownParamHeaders();
    const message = readMessage(
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"sql","arguments":{"region":"eu"}}}',
    );
    if (message.kind !== 'request') throw new Error('it is a request');
    const wrong = HeaderList.from([['mcp-param-region', 'us']]);
    for (let server = 0; server <= 2000; server++) known.learn(String(server), list('sql', SCHEMA));
    expect(known.disagreement('0', message, wrong)).toBeUndefined();
    expect(known.disagreement('1', message, wrong)).toBeDefined();
    expect(known.disagreement('2000', message, wrong)).toBeDefined();
  });
});
