import { execFileSync } from 'node:child_process';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { type Fault, pluginServerPids } from './fault.js';
import type { Load } from './load.js';
import type { FaultStack } from './stack.js';

/** The largest body that the defaults allow. */
const SIZE = 8 * 1024 * 1024;
const CLIENTS = 32;
/** `--max-inflight-bytes` of a worker, and what else it may take. */
const RSS_LIMIT_MIB = 256 + 200;
/** How long a neighbour may wait beside them. */
const P99_LIMIT_MS = 500;

interface HostileBody {
  readonly name: string;
  readonly type: string;
  readonly encoding?: string;
  body(): Buffer;
}

/** Bodies that cost most for their size: each is small on the wire, or takes long to read, or becomes large in memory. */
const BODIES: readonly HostileBody[] = [
  {
    name: '8 MiB in 14 bytes of brotli',
    type: 'text/plain',
    encoding: 'br',
    body: () => brotliCompressSync(Buffer.alloc(SIZE)),
  },
  {
    name: 'gzip in gzip',
    type: 'text/plain',
    encoding: 'gzip, gzip',
    body: () => gzipSync(gzipSync(Buffer.alloc(SIZE))),
  },
  {
    name: '8 MiB in gzip, ten to one',
    type: 'application/json',
    encoding: 'gzip',
    body: () => gzipSync(records(SIZE)),
  },
  {
    name: '8 MiB of windows-1252',
    type: 'text/plain; charset=windows-1252',
    body: () => Buffer.alloc(SIZE, 0x80),
  },
  { name: '8 MiB of control characters', type: 'text/plain', body: () => Buffer.alloc(SIZE, 1) },
  {
    name: '8 MiB of empty parts',
    type: 'multipart/form-data; boundary=b',
    body: () => Buffer.concat([Buffer.alloc(SIZE - 8, '--b\r\n\r\n\r\n\r\n'), Buffer.from([0xff])]),
  },
  { name: '8 MiB of empty objects', type: 'application/json', body: () => Buffer.alloc(SIZE, '{},') },
];

/** One fault for each body: 32 clients send it again and again while others want to be served. */
export const HOSTILE_CLIENTS: readonly Fault[] = BODIES.map(({ name, type, encoding, body }) => ({
  name: `hostile clients: ${name}`,
  phases: ['access'],
  failsOpen: true,
  // A few neighbours and a quick provider: what they wait is what the hostile clients make them wait.
  load: { concurrency: 16, delayMs: 10 },
  limits: { rssMiB: RSS_LIMIT_MIB, p99Ms: P99_LIMIT_MS },
  async inject({ load, lastsMs }) {
    const headers = {
      'content-type': type,
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
    };
    await load.flood(CLIENTS, body(), headers, lastsMs);
  },
}));

/** Watches what a fault costs the plugin server and the other clients. */
export class CostWatch {
  readonly #load: Load;
  readonly #since = performance.now();
  readonly #timer: NodeJS.Timeout;
  #mostKib = 0;

  constructor(stack: FaultStack, load: Load) {
    this.#load = load;
    this.#timer = setInterval(() => {
      this.#mostKib = Math.max(this.#mostKib, ...residentKib(pluginServerPids(stack).workers));
    }, 250);
  }

  /** Of the largest worker, and of the requests that began while the fault lasted. */
  stop(): { readonly rssMiB: number; readonly p99Ms: number } {
    clearInterval(this.#timer);
    const waits = this.#load.answers
      .filter(({ begun, isHostile }) => begun >= this.#since && !isHostile)
      .map(({ ms }) => ms)
      .sort((a, b) => a - b);
    return {
      rssMiB: Math.round(this.#mostKib / 1024),
      p99Ms: Math.round(waits[Math.floor(waits.length * 0.99)] ?? 0),
    };
  }
}

function residentKib(pids: readonly number[]): number[] {
  if (pids.length === 0) return [];
  try {
    const text = execFileSync('ps', ['-o', 'rss=', '-p', pids.join(',')], { encoding: 'utf8' });
    return text.trim().split(/\s+/).map(Number);
  } catch {
    // All of them have ended meanwhile.
    return [];
  }
}

/** JSON of many records, which compresses to about a tenth. */
function records(bytes: number): Buffer {
  const lines: string[] = ['['];
  for (let length = 1, id = 1; length < bytes - 200; id += 1) {
    const line = `{"id":${(id * 7919) % 1_000_003},"name":"client ${id % 977}","balance":${(id * 31) % 9973}},\n`;
    lines.push(line);
    length += line.length;
  }
  lines.push('0]');
  return Buffer.from(lines.join(''));
}
