// The Lua of kong/guard/, run by a real Lua with a table in place of Kong's `kong`.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { LUA } from '../support/tools.js';

interface Request {
  readonly status: number;
  readonly source: 'service' | 'exit' | 'error';
  readonly shared: Readonly<Record<string, string>>;
  /** Lower case, as Kong shows them. */
  readonly headers: Readonly<Record<string, string>>;
}

interface Result {
  /** Names of what is left of the headers, in order. */
  readonly headers: readonly string[];
  /** Status of an exit, or 0. */
  readonly exit: number;
}

const guard = (file: string, phase: 'access' | 'header_filter'): string =>
  parse(readFileSync(new URL(`../../kong/guard/${file}`, import.meta.url), 'utf8')).plugins[0].config[
    phase
  ][0];

/** Runs a phase's text as post-function does: a function of nothing, with a few of Lua's own names beside `kong`. */
function run(code: string, request: Request): Result {
  const text = (value: string) => `"${value.replaceAll(/[\\"\n]/g, '\\$&')}"`;
  const table = (values: Readonly<Record<string, string>>) =>
    `{${Object.entries(values).map(([name, value]) => `[${text(name)}]=${text(value)}`)}}`;
  const program = `
    local headers, exit = ${table(request.headers)}, 0
    local kong = {
      ctx = { shared = ${table(request.shared)} },
      log = { err = function() end },
      response = {
        get_status = function() return ${request.status} end,
        get_source = function() return ${text(request.source)} end,
        get_headers = function(max)
          local shown, count = {}, 0
          for name, value in pairs(headers) do
            if count < max then shown[name], count = value, count + 1 end
          end
          return shown
        end,
        clear_header = function(name) headers[name] = nil end,
        exit = function(status) exit = status end,
      },
    }
    local code = assert(loadstring(${text(code)}))
    setfenv(code, { kong = kong, pairs = pairs })
    code()
    io.write(exit)
    for name in pairs(headers) do io.write(" ", name) end
  `;
  const [exit = '', ...headers] = execFileSync(LUA ?? '', ['-'], { input: program, encoding: 'utf8' }).split(
    ' ',
  );
  return { exit: Number(exit), headers: headers.sort() };
}

const FRAMING = {
  connection: 'keep-alive',
  'content-length': '42',
  'content-type': 'application/json',
};
const UPSTREAM = {
  ...FRAMING,
  date: 'Thu, 01 Jan 2026 00:00:00 GMT',
  'set-cookie': 'session=1',
  etag: '"1"',
  'content-encoding': 'gzip',
};
const ALL = Object.keys(UPSTREAM).sort();
const PERMITTED = { ping_auth: 'context' };
const request = (over: Partial<Request>): Request => ({
  status: 500,
  source: 'exit',
  shared: PERMITTED,
  headers: UPSTREAM,
  ...over,
});

it('the guard of the stock server holds that of our own, too, after its own text', () => {
  const file = readFileSync(new URL('../../kong/guard/kong.yml', import.meta.url), 'utf8');
  const texts: unknown[] = parse(file).plugins[0].config.header_filter;
  expect(texts).toEqual([guard('kong.yml', 'header_filter'), guard('own-server.yml', 'header_filter')]);
});

// A machine without Lua skips these by name; .ci/run installs one.
describe.skipIf(LUA === undefined)('the guard of our own server, run by a Lua', () => {
  const after = (over: Partial<Request>) => run(guard('own-server.yml', 'header_filter'), request(over));

  it('takes the upstream’s headers off a 500 of Kong’s own', () => {
    expect(after({})).toEqual({ exit: 0, headers: Object.keys(FRAMING).sort() });
  });

  it('also when there are more than Kong shows at a time', () => {
    const many = Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`x-${i}`, '1']));
    expect(after({ headers: { ...many, ...UPSTREAM } }).headers).toEqual(Object.keys(FRAMING).sort());
  });

  it.each<[string, Partial<Request>]>([
    ['a 500 of the upstream’s that the policy let through', { source: 'service' }],
    ['another status', { status: 502 }],
    ['a 500 that ping-auth sent in the response phase', { shared: { ...PERMITTED, ping_auth_exit: '1' } }],
    ['a 500 where ping-auth permitted nothing', { shared: {} }],
  ])('leaves alone: %s', (_, over) => {
    expect(after(over)).toEqual({ exit: 0, headers: ALL });
  });
});

describe.skipIf(LUA === undefined)('the guard of the stock server, run by a Lua', () => {
  const inAccess = (over: Partial<Request>) => run(guard('kong.yml', 'access'), request(over));
  const inHeaderFilter = (over: Partial<Request>) => run(guard('kong.yml', 'header_filter'), request(over));
  const answer: Partial<Request> = { status: 200, source: 'service' };

  it('refuses a request that ping-auth did not see', () => {
    expect(inAccess({ shared: {} }).exit).toBe(503);
    expect(inAccess({}).exit).toBe(0);
  });

  it('withholds an answer that ping-auth did not see, with its headers', () => {
    expect(inHeaderFilter(answer)).toEqual({ exit: 503, headers: ['connection'] });
  });

  it.each<[string, Partial<Request>]>([
    ['an answer that ping-auth let through', { ...answer, shared: { ping_auth_response: '1' } }],
    ['an exit', { status: 403 }],
    ['an upgrade', { ...answer, status: 101 }],
  ])('leaves alone: %s', (_, over) => {
    expect(inHeaderFilter(over)).toEqual({ exit: 0, headers: ALL });
  });
});
