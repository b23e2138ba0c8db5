import { Closing } from '../../dev/closing.js';
import { type Lane, openLanes, PROTOBUF } from '../../dev/kong-connection/lane.js';
import { startEchoProcess } from '../../dev/policy-provider/echo.js';
import { benchConfig } from '../support/bench-config.js';
import { load, warmUp } from '../support/load.js';
import { startOurs } from '../support/plugin-servers.js';
import { digits, median, printTable } from '../support/report.js';
import { type BenchRequest, smallExchange } from '../support/requests.js';

/**
 * `npm run bench -- mcp`: what reading messages costs. The same `tools/call` of 1 kB, answered in JSON with as much, through one
 * plugin server with `mcp` and without, in turns.
 */
const CONNECTIONS = 16;
const WARM_UP_REQUESTS = 6000;
const ROUNDS = 20;
const ROUND_MS = 500;
const BYTES = 1024;

const VERSION = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };
const KINDS: readonly (readonly [title: string, request: BenchRequest])[] = [
  ['a client of 2025-11-25', call({ 'mcp-protocol-version': '2025-11-25', 'mcp-session-id': 's1' })],
  [
    'a client of 2026-07-28',
    call(
      { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'search_customers' },
      VERSION,
    ),
  ],
];

const closing = new Closing();
try {
  const provider = await startEchoProcess(closing, { secure: true });
  const server = await startOurs();
  closing.add(() => server.end());
  const open = async (mcp: boolean): Promise<readonly Lane[]> => {
    const lanes = await openLanes(PROTOBUF, server.socket, { ...benchConfig(provider), mcp }, CONNECTIONS);
    closing.add(() => lanes.map((lane) => lane.close()));
    return lanes;
  };
  const contestants = [await open(false), await open(true)] as const;
  const rows: string[][] = [];
  for (const [title, request] of KINDS) {
    for (const lanes of contestants) await warmUp(lanes, request, WARM_UP_REQUESTS);
    const results: [without: number, withMcp: number][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const cpu: [number, number] = [0, 0];
      // Whoever comes second finds a warmer processor.
      for (const which of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
        cpu[which] = (await load(contestants[which], request, ROUND_MS, server.pid)).cpu;
      }
      results.push(cpu);
    }
    rows.push([
      title,
      digits(median(results.map(([without]) => without)) * 1000),
      digits(median(results.map(([, withMcp]) => withMcp)) * 1000),
      median(results.map(([without, withMcp]) => withMcp / without)).toFixed(3),
    ]);
  }
  printTable(['tools/call of 1 kB from', 'CPU µs without mcp', 'with', 'ratio'], rows);
} finally {
  await closing.close();
}

function call(headers: Readonly<Record<string, string>>, _meta?: object): BenchRequest {
  const params = { name: 'search_customers', _meta };
  const filter = { city: 'Zürich', tags: ['a', 'b'], open: true, limit: 20 };
  const body = sized((query) => ({
    ...{ jsonrpc: '2.0', id: 17, method: 'tools/call' },
    params: { ...params, arguments: { filter, query } },
  }));
  const answer = sized((text) => ({ jsonrpc: '2.0', id: 17, result: { content: [{ type: 'text', text }] } }));
  return smallExchange({ ...headers, accept: 'application/json, text/event-stream' }, body, answer);
}

/** JSON of exactly 1 kB, filled up with JSON in a string, as tools have it. */
function sized(make: (text: string) => object): Buffer {
  const item = '{"id":4711,"name":"Ada","note":"said hello"},';
  let text = '';
  while (Buffer.byteLength(JSON.stringify(make(text + item))) <= BYTES) text += item;
  const left = BYTES - Buffer.byteLength(JSON.stringify(make(text)));
  return Buffer.from(JSON.stringify(make(text + 'x'.repeat(left))));
}
