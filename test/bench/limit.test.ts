import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ANSWERS, CASES, type LimitCase } from '../../bench/limit/cases.js';
import { benchConfig } from '../../bench/support/bench-config.js';
import { type PluginServerProcess, startOurs, startYardstick } from '../../bench/support/plugin-servers.js';
import { Closing } from '../../dev/closing.js';
import { decodeArguments } from '../../dev/kong/rpc/pb-methods.js';
import { decodeStruct } from '../../dev/kong/rpc/protobuf.js';
import { openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { readExit } from '../../dev/kong-connection/messages.js';
import { startEchoProvider } from '../../dev/policy-provider/echo.js';

// A comparison means something only when both servers do the same work.

const REQUESTS = 3;
const closing = new Closing();
let serviceUrl: string;
let servers: readonly [PluginServerProcess, PluginServerProcess];
/** What the policy provider was asked: the path and the payload. */
let asked: (readonly [string, unknown])[] = [];

beforeAll(async () => {
  const provider = await startEchoProvider({
    answers: ANSWERS,
    onCall: (target, payload) => asked.push([target, JSON.parse(payload.toString())]),
  });
  closing.add(() => provider.close());
  serviceUrl = provider.url;
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
  const [lane] = await openLanes(PROTOBUF, server.socket, config, 1, (call) => {
    const { method, payload } = call;
    if (method === 'kong.service.request.set_path')
      effects.path = String(decodeArguments(method, payload)?.[0]);
    if (method === 'kong.service.request.set_headers') effects.headers = decodeStruct(payload);
    if (method === 'kong.ctx.shared.set') effects.requestContexts++;
    if (method === 'kong.response.exit') {
      const { headers, ...exit } = readExit(call);
      effects.exit = { ...exit, headers: decodeStruct(headers) };
    }
  });
  try {
    for (let request = 0; request < REQUESTS; request++) {
      asked = [];
      effects = { requestContexts: 0 };
      await lane?.request(one.request);
    }
  } finally {
    lane?.close();
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
