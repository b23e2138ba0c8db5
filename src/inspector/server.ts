import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Access, isMeantForUs } from './access.js';
import { type Remedies, toDetail } from './detail.js';
import { type Names, toRow } from './row.js';
import type { ExchangeStore } from './store.js';
import type { SourceState, Update } from './wire.js';

/** The page's files as texts, made by scripts/inspector-page.mjs. */
export interface PageFiles {
  readonly html: string;
  readonly script: string;
  readonly style: string;
  readonly icon: string;
  /** docs/errors.md as a page. */
  readonly troubleshooting: string;
  readonly remedies: Remedies;
}

/** PageFiles as JSON, put in by scripts/build.mjs, so that the executable stays one file. */
declare const INSPECTOR_PAGE: string | undefined;

/** @throws Error in a source tree: there the page has not been made */
export function pageFiles(): PageFiles {
  if (typeof INSPECTOR_PAGE === 'undefined')
    throw new Error('the page is not built: run dist/bin/ping-auth.mjs of npm run build');
  return JSON.parse(INSPECTOR_PAGE) as PageFiles;
}

export interface InspectorOptions {
  readonly files: PageFiles;
  readonly store: ExchangeStore;
  /** What is read, without the store's counts. */
  readonly source: () => Pick<SourceState, 'name' | 'atEnd' | 'closed' | 'trouble'>;
  /** Of Kong's routes and services, by id. */
  readonly names: Names;
  /** 0: any free one. */
  readonly port: number;
  /** Someone has used the link; there is a new one. */
  readonly onOpened: (nextUrl: string) => void;
}

export interface Inspector {
  readonly port: number;
  /** With the one-time token. */
  url(): string;
  close(): Promise<void>;
}

/** No script, style or picture but ours; nothing may frame the page; a text can become no script even by a mistake. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
};

const ROWS_IN_A_MESSAGE = 2000;
const MAX_DELAY_MS = 150;

/** Serves the page on 127.0.0.1. @throws Error when the port is taken */
export async function startInspector(options: InspectorOptions): Promise<Inspector> {
  const { files, store } = options;
  const access = new Access();
  const run = randomUUID();
  const streams = new Set<ServerResponse>();
  let port = 0;
  const url = () => `http://127.0.0.1:${port}/?token=${access.token}`;

  const answer = (request: IncomingMessage): Answer | 'stream' => {
    if (!isMeantForUs(request, port)) return plain(403, 'not for this host');
    if (request.method !== 'GET') return plain(405, 'GET only');
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
    const page = PAGES[pathname];
    if (page !== undefined) {
      const [type, file] = page;
      const headers = pathname === '/' ? welcome(searchParams.get('token')) : {};
      return { status: 200, type, body: files[file], headers };
    }
    if (!access.isLetIn(request, port)) return plain(401, 'open the link from the terminal');
    if (pathname === '/api/events') return 'stream';
    const [, key] = /^\/api\/exchanges\/(\d{1,15})$/.exec(pathname) ?? [];
    const exchange = key === undefined ? undefined : store.get(Number(key));
    if (exchange === undefined) return plain(404, 'not here, or no longer kept');
    return {
      status: 200,
      type: 'application/json',
      body: JSON.stringify(toDetail(exchange, files.remedies, options.names)),
    };
  };

  /** The page itself holds nothing secret: it is given to everybody, the cookie only for the token. */
  function welcome(token: string | null): Record<string, string> {
    const session = token === null ? undefined : access.redeem(token);
    if (session === undefined) return {};
    options.onOpened(url());
    return {
      'set-cookie': `${Access.cookieName(port)}=${session}; Path=/; HttpOnly; SameSite=Strict`,
    };
  }

  /** Server-sent events: all that is kept, then what changes. A reader that is slow gets fewer, larger messages. */
  async function stream(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [lastRun, lastRevision] = String(request.headers['last-event-id'] ?? '').split(':');
    let revision = lastRun === run ? Number(lastRevision) || 0 : 0;
    let wake = () => {};
    const stop = store.onChange(() => wake());
    streams.add(response);
    response.once('close', () => {
      stop();
      streams.delete(response);
      wake();
    });
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    while (!response.destroyed) {
      const changes = store.since(revision, ROWS_IN_A_MESSAGE);
      revision = changes.revision;
      const update: Update = {
        run,
        rows: changes.exchanges.map((exchange) => toRow(exchange, options.names)),
        firstKey: store.firstKey,
        source: { ...options.source(), ...store.counts },
      };
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const isTaken = response.write(`id: ${run}:${revision}\ndata: ${JSON.stringify(update)}\n\n`);
      if (!isTaken) await drained(response);
      else if (changes.exchanges.length < ROWS_IN_A_MESSAGE) {
        await changed;
        // So that a busy log makes a few messages a second, not one for each line.
        await new Promise((resolve) => setTimeout(resolve, MAX_DELAY_MS));
      }
    }
  }

  const server = createServer((request, response) => {
    let found: Answer | 'stream';
    try {
      found = answer(request);
    } catch {
      found = plain(400, 'not understood');
    }
    if (found === 'stream') void stream(request, response);
    else send(response, found);
  });
  await listen(server, options.port);
  port = (server.address() as AddressInfo).port;
  return {
    port,
    url,
    close: () =>
      new Promise((resolve) => {
        for (const response of streams) response.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** When the reader has taken what was written, or is gone. */
async function drained(response: ServerResponse): Promise<void> {
  const over = new AbortController();
  const end = () => over.abort();
  response.once('close', end);
  await once(response, 'drain', { signal: over.signal }).catch(() => {});
  response.off('close', end);
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The same for everybody: nothing of the log is in them. */
const PAGES: Readonly<
  Record<string, readonly [string, 'html' | 'script' | 'style' | 'icon' | 'troubleshooting']>
> = {
  '/': ['text/html', 'html'],
  '/page.js': ['text/javascript', 'script'],
  '/page.css': ['text/css', 'style'],
  '/icon.svg': ['image/svg+xml', 'icon'],
  '/troubleshooting': ['text/html', 'troubleshooting'],
};

function plain(status: number, body: string): Answer {
  return { status, type: 'text/plain', body: `${body}\n` };
}

function send(response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, { ...HEADERS, 'content-type': `${type}; charset=utf-8`, ...headers }).end(body);
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const taken = error.code === 'EADDRINUSE';
      reject(taken ? new Error(`port ${port} is taken; give another with --port (0: any free one)`) : error);
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}
