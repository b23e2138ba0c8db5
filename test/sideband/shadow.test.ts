// A shadow policy beside live traffic: whatever it does, the live decision is made, carried out and reported without it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Closing } from '../../dev/closing.js';
import { parseConfig } from '../../src/config/parse-config.js';
import type { PluginConfig } from '../../src/config/schema.js';
import type { Instance, Setup } from '../../src/plugin/instance.js';
import { runPhase } from '../../src/plugin/phase-runner.js';
import { ResponsePhase } from '../../src/plugin/response-phase.js';
import { Shadow } from '../../src/plugin/shadow.js';
import { ShadowLimits } from '../../src/plugin/shadow-limits.js';
import type { RequestAnswer, ResponseAnswer } from '../../src/sideband/messages.js';
import { SidebandRuntime } from '../../src/sideband/sideband-runtime.js';
import type { ShadowRecord } from '../../src/telemetry/decision-log.js';
import { SILENT_TELEMETRY } from '../../src/telemetry/telemetry.js';
import { accessPhase, type FakeGateway, fakeGateway, fakeInstance, HOST } from '../support/fake-instance.js';
import {
  type Answering,
  type HostileProvider,
  response,
  startHostileProvider,
} from '../support/hostile-provider.js';
import { until } from '../support/until.js';

const LIVE_STATE = '{"live":"state-of-the-live-policy"}';
const SHADOW_SECRET = 'secret-of-the-shadow';

const closing = new Closing();
let shadowProvider: HostileProvider;
let records: ShadowRecord[];
let limits: ShadowLimits;
beforeEach(() => {
  records = [];
  const runtime = new SidebandRuntime();
  closing.add(() => runtime.close());
  limits = new ShadowLimits(runtime, 1024 * 1024, 4);
});
afterEach(() => closing.close());

/** Repeats what it was shown. */
const permit: Answering = (socket, { head, body }) => {
  const asked = JSON.parse(body) as Record<string, unknown>;
  const { source_ip: _, source_port: __, http_version: ___, request: ____, state: _____, ...rest } = asked;
  socket.write(
    response(
      '200 OK',
      head.includes('/response') ? rest : { ...rest, state: { shadow: 'state-of-the-shadow' } },
    ),
  );
};

interface Given {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly request?: () => RequestAnswer;
  readonly response?: () => ResponseAnswer;
  readonly random?: () => number;
  readonly phases?: readonly string[];
}

async function instanceWithShadow(answering: Answering, given: Given = {}) {
  shadowProvider = await startHostileProvider(undefined, answering);
  closing.add(() => shadowProvider.close());
  const live = fakeInstance({
    ...given,
    request: given.request ?? (() => echo({ state: LIVE_STATE })),
    response: given.response ?? (() => ({ responseCode: 200, headers: [['x-up', '1']], body: 'hello' })),
    host: given.phases === undefined ? HOST : { kind: 'test', phases: given.phases },
  });
  const config = parseConfig({
    service_url: 'https://pa.example:3020',
    shared_secret: 'test-secret',
    shadow_service_url: shadowProvider.url,
    shadow_shared_secret: SHADOW_SECRET,
    call_timeout_ms: 30_000,
    ...given.config,
  });
  const telemetry = { ...SILENT_TELEMETRY, shadow: (record: ShadowRecord) => records.push(record) };
  const random = given.random === undefined ? {} : { random: given.random };
  const shadow = Shadow.of(config, {
    telemetry,
    routeId: 'route-1',
    serviceId: undefined,
    limits,
    ...random,
  });
  closing.add(() => shadow?.close());
  return { ...live, setup: { ...(live.setup as Setup), config, shadow } satisfies Setup };
}

function echo(over: Partial<Extract<RequestAnswer, { kind: 'permit' }>> = {}): RequestAnswer {
  return {
    ...{ kind: 'permit', method: 'GET', url: 'http://api.example:8000/things', body: '' },
    headers: [
      ['host', 'api.example:8000'],
      ['accept', '*/*'],
    ],
    ...{ state: undefined, sourceIp: undefined, sourcePort: undefined, clientCertificate: undefined },
    ...over,
  };
}

const DENY = (): RequestAnswer => ({
  kind: 'deny',
  response: { responseCode: 403, headers: [], body: 'no' },
});

/** Both phases as Kong runs them. @returns what the plugin did with Kong */
async function request(instance: Instance): Promise<FakeGateway['deeds']> {
  const access = fakeGateway();
  await accessPhase(instance, access, {});
  const [deed] = access.deeds;
  if (deed?.did !== 'permit') return access.deeds;
  const after = fakeGateway({ requestContext: deed.requestContext });
  await runPhase(new ResponsePhase(instance, after), instance, {});
  return [...access.deeds, ...after.deeds];
}

const results = () => records.map(({ phase, result }) => `${phase} ${result}`);
const settled = (count: number) =>
  until('the shadow is done', () => records.length === count && limits.open === 0 && limits.held === 0);

it('is asked about both messages, in order, after the live decision', async () => {
  const instance = await instanceWithShadow(permit);
  expect((await request(instance)).map(({ did }) => did)).toEqual(['permit', 'filter']);
  expect(shadowProvider.received).toEqual([]);
  await settled(2);
  expect(results()).toEqual(['access same', 'response same']);
  expect(shadowProvider.received.map(({ head }) => head.split('\r\n')[0])).toEqual([
    'POST /sideband/request HTTP/1.1',
    'POST /sideband/response HTTP/1.1',
  ]);
  expect(records[0]).toMatchObject({
    requestId: 'rid-1',
    routeId: 'route-1',
    live: 'permit',
    shadow: 'permit',
  });
});

it('gets its own state and secret, and the live policy gets neither', async () => {
  const instance = await instanceWithShadow(permit);
  await request(instance);
  await settled(2);
  const toShadow = shadowProvider.received.map(({ head, body }) => head + body).join('\n');
  expect(toShadow).toContain('"state":{"shadow":"state-of-the-shadow"}');
  expect(toShadow).toContain(SHADOW_SECRET);
  expect(toShadow).not.toContain('state-of-the-live-policy');
  expect(toShadow).not.toContain('test-secret');
  const toLive = JSON.stringify(instance.asked);
  expect(toLive).toContain('state-of-the-live-policy');
  expect(toLive).not.toMatch(/state-of-the-shadow|secret-of-the-shadow/);
  expect(instance.asked).toHaveLength(2);
});

it('finds what differs, by name', async () => {
  const answering: Answering = (socket, received) => {
    if (received.head.includes('/response'))
      socket.write(response('200 OK', { response_code: '200', headers: [{ 'x-up': '2' }], body: 'hidden' }));
    else permit(socket, received);
  };
  await request(
    await instanceWithShadow(answering, {
      request: () => echo({ url: 'http://api.example:8000/things?live=1' }),
    }),
  );
  await settled(2);
  expect(records.map(({ differences }) => differences)).toEqual([['query'], ['header:x-up', 'body']]);
});

it('that denies changes nothing, and is not asked about the response', async () => {
  const deny: Answering = (socket) =>
    socket.write(response('200 OK', { response: { response_code: '403', headers: [], body: '' } }));
  expect((await request(await instanceWithShadow(deny))).map(({ did }) => did)).toEqual(['permit', 'filter']);
  await settled(1);
  expect(records[0]).toMatchObject({ result: 'different', differences: ['permit → deny 403'] });
});

it.each([
  ['a denied request', { request: DENY }, 'deny 403 → permit'],
  ['a denied request in monitor mode', { request: DENY, config: { mode: 'monitor' } }, 'deny 403 → permit'],
  [
    'an answer that was refused',
    { request: () => echo({ url: 'ftp://x' }) },
    'refuse directive_invalid → permit',
  ],
])('of %s only the first question is asked', async (_, given, difference) => {
  await request(await instanceWithShadow(permit, given));
  await settled(1);
  expect(records[0]).toMatchObject({ phase: 'access', result: 'different', differences: [difference] });
});

it('is asked right after the access phase where there is no response phase', async () => {
  await accessPhase(await instanceWithShadow(permit, { phases: ['access'] }), fakeGateway(), {});
  await settled(1);
  expect(results()).toEqual(['access same']);
});

it('is not asked when there is no live decision', async () => {
  const fails = () => {
    throw new Error('the live provider is away');
  };
  await request(await instanceWithShadow(permit, { request: fails }));
  await request(await instanceWithShadow(permit, { response: fails }));
  await settled(1);
  expect(results()).toEqual(['access same']);
});

describe('of a request that is not sampled', () => {
  it.each([0, 1, 50])('nothing is kept and nothing asked (%i percent)', async (shadow_percent) => {
    const instance = await instanceWithShadow(permit, { config: { shadow_percent }, random: () => 0.5 });
    const gateway = fakeGateway();
    await accessPhase(instance, gateway, {});
    expect(gateway.deeds[0]).toMatchObject({ requestContext: expect.stringMatching(/^3 /) });
    await request(instance);
    expect(limits.open).toBe(0);
    expect(shadowProvider.received).toEqual([]);
  });

  it('the share is kept to', async () => {
    const instance = await instanceWithShadow(permit, { config: { shadow_percent: 51 }, random: () => 0.5 });
    await request(instance);
    await settled(2);
  });
});

it('is dropped when the request context has no room for it, and the request continues', async () => {
  const text = `"${'x'.repeat(16_200)}"`;
  const config = { max_request_context_bytes: 16_384 };
  const instance = await instanceWithShadow(permit, { config, request: () => echo({ state: text }) });
  expect((await request(instance)).map(({ did }) => did)).toEqual(['permit', 'filter']);
  await settled(1);
  expect(records[0]).toMatchObject({ phase: 'access', result: 'dropped' });
  expect(shadowProvider.received).toEqual([]);
});

describe('that misbehaves leaves the live path as it was', () => {
  const valid = response('200 OK', {});
  it.each<[string, Answering, string]>([
    ['closes the connection', (socket) => socket.destroy(), 'access error'],
    ['answers 500', (socket) => socket.write(response('500 No', '')), 'access error'],
    ['answers 401', (socket) => socket.write(response('401 No', '')), 'access error'],
    ['answers 200 with a text', (socket) => socket.write(response('200 OK', 'fine')), 'access error'],
    ['answers with an empty object', (socket) => socket.write(valid), 'access error'],
    ['answers no HTTP', (socket) => socket.write('SSH-2.0-x\r\n\r\n'), 'access error'],
    [
      'asks for what must not be sent on',
      (socket) => socket.write(response('200 OK', { method: 'GET', url: 'x', headers: [] })),
      'access different',
    ],
    [
      'announces 100 MB',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n'),
      'access dropped',
    ],
    [
      'sends 2 MB, over its memory',
      (socket) => socket.write(response('200 OK', 'x'.repeat(2_000_000))),
      'access dropped',
    ],
    ['sends chunks without end', endless, 'access dropped'],
  ])('%s', async (_, answering, result) => {
    const instance = await instanceWithShadow(answering);
    expect((await request(instance)).map(({ did }) => did)).toEqual(['permit', 'filter']);
    expect(instance.decisions.map(({ outcome }) => outcome)).toEqual(['permit', 'pass']);
    await settled(1);
    expect(results()).toEqual([result]);
    expect(instance.budget.held).toBe(0);
  });

  it('never answers: requests continue, and further questions are dropped', async () => {
    const instance = await instanceWithShadow(() => {});
    for (let i = 0; i < 10; i++)
      expect((await request(instance)).map(({ did }) => did)).toEqual(['permit', 'filter']);
    // Four may be open; the others were dropped at once.
    expect(limits.open).toBe(4);
    expect(results()).toEqual(Array.from({ length: 6 }, () => 'access dropped'));
    expect(instance.budget.held).toBe(0);
    (instance.setup as Setup).shadow?.close();
    await settled(10);
    expect(records.every(({ result }) => result === 'dropped')).toBe(true);
  });

  it('is away', async () => {
    const instance = await instanceWithShadow(permit);
    await shadowProvider.close();
    expect((await request(instance)).map(({ did }) => did)).toEqual(['permit', 'filter']);
    await settled(1);
    expect(records[0]).toMatchObject({ result: 'error', code: 'provider_unreachable' });
  });
});

it('stays away from the connections of the live provider', () => {
  const config: PluginConfig = parseConfig({
    ...{ service_url: 'https://live.example', shared_secret: 's', tls_server_name: 'live.internal' },
    ...{ shadow_service_url: 'https://shadow.example', shadow_shared_secret: 't' },
    failover_service_urls: ['https://other.example'],
  });
  const live = new SidebandRuntime();
  const shadow = Shadow.of(config, {
    telemetry: SILENT_TELEMETRY,
    routeId: undefined,
    serviceId: undefined,
    limits,
  });
  expect(limits.sideband.status.map(({ provider }) => provider)).toEqual(['https://shadow.example']);
  expect(live.status).toEqual([]);
  shadow?.close();
});

function endless(socket: Parameters<Answering>[0]): void {
  socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
  const more = () => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}
