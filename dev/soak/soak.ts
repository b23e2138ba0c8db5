import { startProcess } from '../child-process.js';
import { KINDS, type Kind } from './kinds.js';
import { oneRequest } from './kong-side.js';
import { type HostName, type Sample, type ServerUnderTest, startServer } from './server-under-test.js';

export interface SoakOptions {
  readonly host: HostName;
  readonly bundle: string;
  readonly minutes: number;
  readonly concurrency: number;
}

/** One kind of request, a long time of it. */
export interface SoakRow {
  readonly host: HostName;
  readonly kind: Kind;
  readonly requests: number;
  readonly before: Sample;
  readonly after: Sample;
}

/** Share of the time for the warm-up, in which all kinds run; the kinds share the rest. */
const WARM_UP = 0.2;

/** @throws Error when a request ends in another way than its kind says. */
export async function soak(options: SoakOptions): Promise<SoakRow[]> {
  const policy = await startProcess<{ url: string }>('./policy-process.ts', import.meta.url);
  const server = await startServer(options.host, options.bundle);
  try {
    const id = await server.kong.start({
      service_url: policy.ready.url,
      shared_secret: 'soak-secret',
      secret_header_name: 'CLIENT-TOKEN',
    });
    const ms = options.minutes * 60_000;
    await run(server, id, options.concurrency, ms * WARM_UP, (n) => KINDS[n % KINDS.length] ?? 'allowed');
    const rows: SoakRow[] = [];
    let before = await server.measure();
    for (const kind of KINDS) {
      const time = (ms * (1 - WARM_UP)) / KINDS.length;
      const requests = await run(server, id, options.concurrency, time, () => kind);
      const after = await server.measure();
      rows.push({ host: options.host, kind, requests, before, after });
      before = after;
    }
    return rows;
  } finally {
    await server.close();
    await policy.end('SIGKILL');
  }
}

async function run(
  { kong }: ServerUnderTest,
  id: number,
  concurrency: number,
  forMs: number,
  kindOf: (n: number) => Kind,
): Promise<number> {
  const end = performance.now() + forMs;
  let requests = 0;
  const lane = async () => {
    while (performance.now() < end) await oneRequest(kong, id, kindOf(requests++));
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
  return requests;
}

/** Bytes of heap that stay behind for every request. */
export function leftBehind({ before, after, requests }: SoakRow): number {
  return (after.heapUsed + after.external - before.heapUsed - before.external) / requests;
}

/** Caches and compiled code grow by this much without meaning anything. */
const NOISE_BYTES = 4 * 1024 * 1024;

/** No growth beyond noise. */
export function isSteady(row: SoakRow): boolean {
  const { before, after } = row;
  // The connections to the policy provider come and go.
  const fds = (after.fds ?? 0) - (before.fds ?? 0);
  return leftBehind(row) * row.requests < NOISE_BYTES && fds < 50 && after.handles - before.handles < 50;
}
