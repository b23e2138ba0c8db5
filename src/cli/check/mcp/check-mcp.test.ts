import { readdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { connectAgent } from '../../../../dev/mcp/agent.js';
import { startMcpServer } from '../../../../dev/mcp/mcp-server.js';
import { startModernServer } from '../../../../dev/mcp/modern-server.js';
import { FakeTerminal } from '../../../../test/support/fake-terminal.js';
import { checkCommand } from '../command.js';
import type { ConfigurationReport } from '../finding.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  closing.push(() => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function check(url: string, ...args: string[]) {
  const terminal = new FakeTerminal({ TOKEN: 'ada' });
  await checkCommand(terminal).parseAsync(['--json', '--mcp', url, ...args], { from: 'user' });
  const { stdout, stderr, exitCode } = terminal.result;
  const report =
    stdout === '' ? undefined : (JSON.parse(stdout) as { configurations: ConfigurationReport[] });
  const found = (report?.configurations[0]?.findings ?? []).map(({ step, status }) => `${step} ${status}`);
  return { found, stdout, stderr, exitCode };
}

type Documents = Readonly<Record<string, (base: string) => object>>;
const RESOURCE = '/.well-known/oauth-protected-resource';
const OPENID = '/.well-known/openid-configuration';
const issuer = (base: string) => ({
  issuer: base,
  authorization_endpoint: `${base}/a`,
  token_endpoint: `${base}/t`,
  code_challenge_methods_supported: ['S256'],
});
const GOOD: Documents = {
  [`${RESOURCE}/mcp`]: (base) => ({ resource: `${base}/mcp`, authorization_servers: [base] }),
  [OPENID]: issuer,
};

interface GatewayOptions {
  readonly documents?: Documents;
  /** What a call without a token is answered with. */
  readonly unauthorized?: readonly [
    status: number,
    challenge?: string | ((base: string) => string) | undefined,
    body?: string,
  ];
  readonly checksOrigin?: boolean;
  /** An MCP server behind it. */
  readonly upstream?: string;
}

/** A gateway, its metadata and an authorization server in one. */
async function gateway(options: GatewayOptions = {}): Promise<string> {
  const {
    documents = GOOD,
    unauthorized = [401, (own) => `Bearer resource_metadata="${own}${RESOURCE}/mcp"`],
  } = options;
  const base: string = await listen(async (request: IncomingMessage, response) => {
    const document = documents[request.url ?? ''];
    if (document !== undefined) return void response.end(JSON.stringify(document(base)));
    if (request.url !== '/mcp') return void response.writeHead(404).end('<p>');
    if (options.checksOrigin !== false && request.headers.origin !== undefined)
      return void response.writeHead(403).end();
    const [status, challenge, body = ''] = unauthorized;
    if (request.headers.authorization !== 'Bearer ada' && status !== 0) {
      const value = typeof challenge === 'function' ? challenge(base) : challenge;
      return void response
        .writeHead(status, value === undefined ? {} : { 'WWW-Authenticate': value })
        .end(body);
    }
    const headers = new Headers(request.headers as Record<string, string>);
    headers.delete('host');
    headers.delete('connection');
    headers.delete('content-length');
    const init = { method: request.method ?? 'GET', headers, body: JSON.stringify(await json(request)) };
    const reply = await fetch(options.upstream ?? '', init);
    response.writeHead(reply.status, Object.fromEntries(reply.headers)).end(await reply.text());
  });
  return `${base}/mcp`;
}

const ALL = ['mcp ok', 'challenge ok', 'metadata ok', 'issuer ok', 'origin ok'];

describe('ping-auth check --mcp', () => {
  it('walks the chain of a gateway that is set up well', async () => {
    expect(await check(await gateway())).toMatchObject({ found: [...ALL, 'tools skipped'], exitCode: 0 });
  });

  it.each(['2025-11-25', '2025-11-25 in JSON', '2026-07-28', '2026-07-28 in streams'])(
    'lists the tools of a server of %s',
    async (kind) => {
      const server = kind.startsWith('2025')
        ? await startMcpServer({ answers: kind.endsWith('JSON') ? 'json' : 'stream' })
        : await startModernServer(kind.endsWith('streams') ? 'sse' : 'auto');
      closing.push(() => server.close());
      const url = await gateway({ upstream: server.url });
      for (const token of [
        ['--token', 'ada'],
        ['--token-env', 'TOKEN'],
      ]) {
        const { found, stdout } = await check(url, ...token);
        expect(found).toEqual([...ALL, 'tools ok']);
        expect(stdout).toContain('delete_customer');
        expect(stdout).not.toContain('"ada"');
      }
      expect((await check(url, '--token', 'eve')).found.at(-1)).toBe('tools failed');
    },
  );

  it('looks at the well-known places without a challenge that names one', async () => {
    const root: Documents = {
      [RESOURCE]: (base) => ({ resource: base, authorization_servers: [base] }),
      [OPENID]: issuer,
    };
    for (const documents of [GOOD, root]) {
      const { found, exitCode } = await check(await gateway({ documents, unauthorized: [401, 'Bearer'] }));
      expect(found.slice(0, 2)).toEqual(['mcp ok', 'challenge warning']);
      expect([found[2], exitCode]).toEqual([documents === GOOD ? 'metadata ok' : 'metadata warning', 0]);
    }
  });

  it.each<[string, GatewayOptions, string]>([
    [
      'lets everybody in',
      { unauthorized: [200, undefined, '{"jsonrpc":"2.0","id":1,"result":{}}'] },
      'mcp failed',
    ],
    ['denies with 403', { unauthorized: [403] }, 'mcp failed'],
    [
      'denies over JSON-RPC',
      { unauthorized: [200, undefined, '{"jsonrpc":"2.0","id":1,"error":{"code":403}}'] },
      'mcp failed',
    ],
    ['has no such path', { unauthorized: [404] }, 'mcp failed'],
    [
      'names a place that is no URL',
      { unauthorized: [401, 'Bearer resource_metadata="x"'] },
      'metadata failed',
    ],
    ['serves no metadata', { documents: {} }, 'metadata failed'],
    [
      'describes another resource',
      {
        documents: {
          ...GOOD,
          [`${RESOURCE}/mcp`]: (base) => ({
            resource: 'https://other.example/mcp',
            authorization_servers: [base],
          }),
        },
      },
      'metadata failed',
    ],
    [
      'describes another path',
      {
        documents: {
          ...GOOD,
          [`${RESOURCE}/mcp`]: (base) => ({ resource: `${base}/mc`, authorization_servers: [base] }),
        },
      },
      'metadata failed',
    ],
    [
      'names no authorization server',
      { documents: { ...GOOD, [`${RESOURCE}/mcp`]: (base) => ({ resource: `${base}/mcp` }) } },
      'metadata failed',
    ],
    [
      'names one that is not there',
      { documents: { [`${RESOURCE}/mcp`]: GOOD[`${RESOURCE}/mcp`] as () => object } },
      'issuer failed',
    ],
    [
      'names one that calls itself otherwise',
      { documents: { ...GOOD, [OPENID]: (base) => ({ ...issuer(base), issuer: `${base}/` }) } },
      'issuer failed',
    ],
    [
      'names one without PKCE',
      {
        documents: {
          ...GOOD,
          [OPENID]: (base) => ({ ...issuer(base), code_challenge_methods_supported: ['plain'] }),
        },
      },
      'issuer failed',
    ],
    [
      'names one without an authorization endpoint',
      {
        documents: { ...GOOD, [OPENID]: (base) => ({ ...issuer(base), authorization_endpoint: undefined }) },
      },
      'issuer failed',
    ],
    ['lets foreign web pages in', { checksOrigin: false }, 'origin warning'],
  ])('says what to do when the gateway %s', async (_what, options, wanted) => {
    const { found, stdout, exitCode } = await check(await gateway(options));
    expect(found).toContain(wanted);
    expect(exitCode).toBe(wanted.endsWith('warning') ? 0 : 1);
    expect(stdout).toContain('"remedy"');
  });

  it('says when nobody answers, or not in time', async () => {
    const closed = await check('http://127.0.0.1:1/mcp');
    expect([closed.found, closed.exitCode]).toEqual([['mcp failed'], 1]);
    const silent = await listen(() => {});
    expect((await check(`${silent}/mcp`, '--timeout', '50')).found).toEqual(['mcp failed']);
  });

  it('wants --mcp for a token, and a token where it is said to be', async () => {
    const terminal = new FakeTerminal({ S: 'a-secret-1' });
    await checkCommand(terminal).parseAsync(
      ['--service-url', 'https://x', '--secret-env', 'S', '--token', 'a'],
      { from: 'user' },
    );
    expect(terminal.result.stderr).toContain('--mcp');
    const missing = await check('http://127.0.0.1:1/mcp', '--token-env', 'NOWHERE');
    expect([missing.exitCode, missing.stderr]).toEqual([2, expect.stringContaining('NOWHERE')]);
  });
});

it('the gateway of these tests is one for a client', async () => {
  const server = await startMcpServer();
  closing.push(() => server.close());
  const url = await gateway({ upstream: server.url });
  await expect(connectAgent(url)).rejects.toMatchObject({ code: 401 });
});

describe('a hostile answer', () => {
  it('does not have the check ask hundreds of servers', async () => {
    const asked = new Set<string>();
    const other = await listen((request, response) => {
      asked.add(request.url ?? '');
      response.end('{}');
    });
    const names = (base: string) => ({
      resource: `${base}/mcp`,
      authorization_servers: Array.from({ length: 400 }, (_, index) => `${other}/${index}`),
    });
    const { found, stdout } = await check(await gateway({ documents: { [`${RESOURCE}/mcp`]: names } }));
    expect(found.filter((one) => one === 'issuer failed').length).toBe(5);
    expect(stdout).toContain('400 authorization servers');
    expect(asked.size).toBeLessThanOrEqual(15);
  });
});

describe('a token', () => {
  it.each(['Zk7q\nWm2x', ' Zk7qWm2x', 'Zk7qWm2xé', 'Zk7q Wm2x'])(
    'that is none is not sent, and not shown: %j',
    async (token) => {
      const { stdout, stderr, exitCode } = await check('http://127.0.0.1:9/mcp', '--token', token);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('--token holds a blank');
      expect(stdout + stderr).not.toMatch(/Zk7q|Wm2x/);
    },
  );
});

// In the executables `undici` is scripts/undici-parts.cjs: with any other name of it, a command fails there and in no test.
it('the sources take of undici what the executables have of it', async () => {
  const root = new URL('../../../../', import.meta.url);
  const parts = await readFile(new URL('scripts/undici-parts.cjs', root), 'utf8');
  const bundled = [...parts.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
  const files = (await readdir(new URL('src/', root), { recursive: true })).filter(
    (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
  );
  const texts = await Promise.all(files.map((file) => readFile(new URL(`src/${file}`, root), 'utf8')));
  const taken = texts
    .flatMap((text) => [...text.matchAll(/^import \{([^}]*)\} from 'undici'/gm)])
    .flatMap(([, names = '']) => names.split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '));
  expect(taken.length).toBeGreaterThan(0);
  expect(bundled).toEqual(expect.arrayContaining(taken));
});
