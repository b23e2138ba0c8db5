import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openProtobufSides } from '../../bench/kong/protobuf-side.js';
import { bytesOf, intOf } from '../../bench/kong/wire.js';
import { answerTo, CASES, type LimitCase } from '../../bench/limit/cases.js';
import { type PluginServerProcess, startOurs, startYardstick } from '../../bench/support/plugin-servers.js';
import { benchConfig } from '../../bench/support/provider.js';
import { Closing } from '../../dev/closing.js';
import { decodeStruct } from '../../dev/kong/rpc/protobuf.js';

// A comparison means something only when both servers do the same work.

const REQUESTS = 3;
const closing = new Closing();
let serviceUrl: string;
let servers: readonly [PluginServerProcess, PluginServerProcess];
/** What the policy provider was asked: the path and the payload. */
let asked: (readonly [string | undefined, unknown])[] = [];

beforeAll(async () => {
  const provider = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const payload = Buffer.concat(chunks);
      asked.push([request.url, JSON.parse(payload.toString())]);
      response.setHeader('content-type', 'application/json').end(answerTo(request.url ?? '', payload));
    });
  });
  closing.add(() => provider.closeAllConnections());
  closing.add(() => provider.close());
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  serviceUrl = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const ours = await startOurs();
  closing.add(() => ours.end());
  const yardstick = await startYardstick();
  closing.add(() => yardstick.end());
  servers = [ours, yardstick];
});
afterAll(() => closing.close());

/** What became of a request at Kong. */
interface Effects {
  path?: string;
  headers?: object;
  exit?: { status: number; headers: object; body: string };
  requestContexts: number;
}

/** The last of a few requests, on one connection unless it is denied. */
async function run(
  server: PluginServerProcess,
  one: LimitCase,
): Promise<{ asked: unknown; effects: Effects }> {
  let effects: Effects = { requestContexts: 0 };
  const config = benchConfig({ url: `${serviceUrl}/${one.name}` });
  const [side] = await openProtobufSides(server.socket, config, 1, (method, argument) => {
    if (method === 'kong.service.request.set_path') effects.path = bytesOf(argument, 1).toString();
    if (method === 'kong.service.request.set_headers') effects.headers = decodeStruct(argument);
    if (method === 'kong.ctx.shared.set') effects.requestContexts++;
    if (method !== 'kong.response.exit') return;
    const headers = decodeStruct(bytesOf(argument, 3));
    effects.exit = { status: intOf(argument, 1), headers, body: bytesOf(argument, 2).toString() };
  });
  try {
    for (let request = 0; request < REQUESTS; request++) {
      asked = [];
      effects = { requestContexts: 0 };
      await side?.request(one.request);
    }
  } finally {
    side?.close();
  }
  return { asked, effects };
}

/** What each case is there for; the rest is seen by comparing. */
const EXPECTED: Record<LimitCase['name'], { readonly calls: number; readonly effects: object }> = {
  get: { calls: 2, effects: { requestContexts: 1 } },
  post: { calls: 2, effects: { requestContexts: 1 } },
  denied: { calls: 1, effects: { requestContexts: 0, exit: expect.objectContaining({ status: 403 }) } },
  changed: {
    calls: 2,
    effects: {
      requestContexts: 1,
      path: '/internal/accounts/4711/transactions',
      headers: {
        authorization: [],
        'user-agent': 'gateway/1',
        'x-user': '4711',
        'x-scope': 'accounts:read',
      },
    },
  },
};

describe('the limit bench: ours and the yardstick', () => {
  it.each(CASES)('ask and do the same for: $title', async (one) => {
    const ours = await run(servers[0], one);
    const yardstick = await run(servers[1], one);
    expect(yardstick).toEqual(ours);
    expect(ours.asked).toHaveLength(EXPECTED[one.name].calls);
    expect(ours.effects).toEqual(EXPECTED[one.name].effects);
  });
});
