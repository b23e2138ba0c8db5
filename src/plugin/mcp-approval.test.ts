// A person's approval, through both phases: whatever a client makes of it, nothing reaches the server without a permit of the
// policy for just that call.

import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { text } from '../../test/model/messages.js';
import { accessPhase, fakeGateway, fakeInstance } from '../../test/support/fake-instance.js';
import {
  errorResponse,
  failing,
  JSON_TYPE,
  onlyOne,
  post,
  respond,
  response,
  shownHeader,
} from '../../test/support/mcp-phases.js';
import { type HeaderField, isRemoval } from '../http/headers.js';
import type { RequestAnswer, RequestPayload } from '../sideband/messages.js';

const URL = 'https://approve.example/1';
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { url: {} } },
};
const ACCEPT = { 'ping-auth-approval': { action: 'accept' } };

interface Call {
  readonly user?: string;
  readonly name?: string;
  readonly args?: object;
  readonly rest?: object;
  readonly headers?: readonly HeaderField[];
}

/** A policy that approves calls one by one: of one person, with one digest, once. */
let approved: Set<string>;
/** Bodies that reached the server. */
let served: string[];
let asked: RequestPayload[];
let config: object;
let zip: boolean;
beforeEach(() => {
  approved = new Set();
  served = [];
  asked = [];
  config = {};
  zip = false;
});

const keyOf = (shown: RequestPayload) =>
  JSON.stringify([shownHeader(shown, 'authorization'), shownHeader(shown, 'mcp-arguments-digest')]);

async function send({ user = 'ada', name = 'delete', args = { id: 1 }, rest = {}, headers = [] }: Call = {}) {
  const params = { name, arguments: args, ...rest, _meta: META };
  const plain = post({ jsonrpc: '2.0', id: 7, method: 'tools/call', params }, [
    ['authorization', `Bearer ${user}`],
    ['mcp-protocol-version', '2026-07-28'],
    ['mcp-method', 'tools/call'],
    ['mcp-name', name],
    ...(zip ? [['content-encoding', 'gzip'] as const] : []),
    ...headers,
  ]);
  const request = zip ? { ...plain, body: gzipSync(plain.body) } : plain;
  const instance = fakeInstance({
    config: { mcp: true, ...config },
    request: (): RequestAnswer => {
      const shown = instance.asked.at(-1) as RequestPayload;
      asked.push(shown);
      if (!approved.delete(keyOf(shown))) {
        const body = JSON.stringify({ message: 'Ask Ada.', approval_url: URL });
        return { kind: 'deny', response: { responseCode: '403', headers: [JSON_TYPE], body } };
      }
      const { method, url, body } = shown;
      const fields = shown.headers.flatMap((pair) => Object.entries(pair));
      const unset = {
        sourceIp: undefined,
        sourcePort: undefined,
        clientCertificate: undefined,
        state: undefined,
      };
      return { kind: 'permit', method, url, headers: fields, body, ...unset };
    },
  });
  const gateway = fakeGateway({ reading: () => ({ request }) });
  await accessPhase(instance, gateway, {});
  const deed = onlyOne(gateway.deeds);
  if (deed.did === 'permit') {
    const isZipped = zip && !isRemoval(deed.changes.headers['content-encoding']);
    const bytes = deed.changes.body ?? request.body;
    served.push(text(isZipped ? gunzipSync(bytes) : bytes) ?? '');
    for (const name of Object.keys(deed.changes.headers)) expect(name).not.toMatch(/digest|approval/);
  }
  return { deed, answer: errorResponse(deed)[1], decision: instance.decisions[0] };
}

/** A person approves the call that was asked about last. */
const approve = () => approved.add(keyOf(asked.at(-1) as RequestPayload));
const stateIn = (answer: unknown) => (answer as { result: { requestState: string } }).result.requestState;
const paramsOf = (body: string | undefined) => (JSON.parse(body ?? '{}') as { params: object }).params;

describe('an approval', () => {
  it('is asked for, given, and lets that one call through', async () => {
    const first = await send();
    expect(first.answer).toMatchObject({ result: { resultType: 'input_required' } });
    expect(first.decision).toMatchObject({ outcome: 'deny', status: 403, approval: 'input_required' });
    const rest = { requestState: stateIn(first.answer), inputResponses: ACCEPT };
    // The person has said yes to opening the page, and not yet on it.
    expect((await send({ rest })).answer).toMatchObject({ result: { resultType: 'input_required' } });
    expect(served).toEqual([]);
    approve();
    const done = await send({ rest });
    expect(done.decision).toMatchObject({ outcome: 'permit' });
    expect(served.map(paramsOf)).toEqual([{ name: 'delete', arguments: { id: 1 }, _meta: META }]);
    expect(asked.map(({ body }) => paramsOf(body))).toEqual(Array(3).fill(paramsOf(served[0])));
  });

  it.each<[string, (state: string) => Call]>([
    [
      'changed arguments',
      (requestState) => ({ args: { id: 2 }, rest: { requestState, inputResponses: ACCEPT } }),
    ],
    ['one more argument', (requestState) => ({ args: { id: 1, all: true }, rest: { requestState } })],
    [
      'another tool',
      (requestState) => ({ name: 'delete_all', rest: { requestState, inputResponses: ACCEPT } }),
    ],
    ['another user', (requestState) => ({ user: 'eve', rest: { requestState, inputResponses: ACCEPT } })],
    [
      'another user with a made-up state',
      () => ({ user: 'eve', rest: { requestState: 'ping-auth-approval.1.e30' } }),
    ],
    [
      'a state that says it is approved',
      () => ({ user: 'eve', rest: { requestState: `ping-auth-approval.1.${btoa('{"approved":true}')}` } }),
    ],
    [
      'a damaged state',
      (state) => ({ user: 'eve', rest: { requestState: `${state}x`, inputResponses: ACCEPT } }),
    ],
    ['an answer without a state', () => ({ user: 'eve', rest: { inputResponses: ACCEPT } })],
  ])('of one call is none of another: %s', async (_what, other) => {
    const state = stateIn((await send()).answer);
    approve();
    await send(other(state));
    expect(served).toEqual([]);
    // It is still there for the call that it was given for.
    await send({ rest: { requestState: state, inputResponses: ACCEPT } });
    expect(served).toHaveLength(1);
  });

  it('is not there a second time: a replay is asked about anew', async () => {
    const rest = { requestState: stateIn((await send()).answer), inputResponses: ACCEPT };
    approve();
    for (let i = 0; i < 3; i += 1) await send({ rest });
    expect([served.length, asked.length]).toEqual([1, 4]);
  });

  it('of two calls stays with its own when their states are swapped', async () => {
    const [one, two] = [{ id: 1 }, { id: 2 }];
    const first = stateIn((await send({ args: one })).answer);
    approve();
    const second = stateIn((await send({ args: two })).answer);
    await send({ args: two, rest: { requestState: first, inputResponses: ACCEPT } });
    expect(served).toEqual([]);
    await send({ args: one, rest: { requestState: second, inputResponses: ACCEPT } });
    expect(served.map(paramsOf)).toMatchObject([{ arguments: one }]);
  });

  it('cannot be claimed by a header', async () => {
    await send();
    const [digest = ''] = shownHeader(asked[0], 'mcp-arguments-digest');
    approve();
    for (const name of ['mcp-arguments-digest', 'Mcp_Arguments_Digest', 'mcp-approval-response']) {
      const { decision } = await send({ args: { id: 2 }, headers: [[name, String(digest)]] });
      expect(decision?.code).toBe('mcp_headers_disagree');
    }
    expect([served, asked.length]).toEqual([[], 1]);
  });

  it('does not come from arguments that readers read differently', async () => {
    const body = (number: string) =>
      post(
        `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"pay","arguments":{"n":${number}}}}`,
      );
    const digests = [];
    for (const number of ['9007199254740992', '9007199254740993']) {
      const instance = fakeInstance({ config: { mcp: true }, request: failingAnswer });
      await accessPhase(instance, fakeGateway({ reading: () => ({ request: body(number) }) }), {});
      digests.push(shownHeader(instance.asked[0], 'mcp-arguments-digest').length);
    }
    expect(digests).toEqual([1, 0]);
  });

  it('is shown to have been refused, and is not offered again', async () => {
    const requestState = stateIn((await send()).answer);
    for (const action of ['decline', 'cancel']) {
      const rest = { requestState, inputResponses: { 'ping-auth-approval': { action } } };
      const { answer, decision } = await send({ rest });
      expect(shownHeader(asked.at(-1), 'mcp-approval-response')).toEqual([action]);
      expect(answer).toMatchObject({ error: { code: 403, data: { approval_url: URL } } });
      expect(decision?.approval).toBe('told');
    }
    expect(shownHeader(asked[0], 'mcp-approval-response')).toEqual([]);
  });

  it('works with a compressed body', async () => {
    zip = true;
    const rest = { requestState: stateIn((await send()).answer), inputResponses: ACCEPT };
    approve();
    await send({ rest });
    expect(served.map(paramsOf)).toEqual([{ name: 'delete', arguments: { id: 1 }, _meta: META }]);
  });

  it('keeps what the call had for the server', async () => {
    const forServer = { requestState: 'of the server', inputResponses: { form: { action: 'accept' } } };
    const state = stateIn((await send({ rest: forServer })).answer);
    approve();
    await send({ rest: { requestState: state, inputResponses: ACCEPT } });
    expect(served.map(paramsOf)).toMatchObject([forServer]);
    expect(served[0]).not.toContain('ping-auth');
  });

  it('leaves the state of a server alone', async () => {
    await send();
    approve();
    await send({ rest: { requestState: 'ping-auth-approval.2.x', inputResponses: { a: 1 } } });
    expect(served.map(paramsOf)).toMatchObject([{ requestState: 'ping-auth-approval.2.x' }]);
  });

  it('is plain HTTP where denials are, and never asked for in monitor mode', async () => {
    config = { mcp_denials: 'http' };
    const { deed, answer } = await send();
    expect([errorResponse(deed)[0], answer]).toEqual([403, { message: 'Ask Ada.', approval_url: URL }]);
    config = { mode: 'monitor' };
    expect((await send()).decision?.outcome).toBe('monitor_deny');
  });

  it('does not reach the server as text of ours when the policy cannot be asked', async () => {
    const params = { name: 'x', inputResponses: ACCEPT, requestState: 'ping-auth-approval.1.e30' };
    const instance = fakeInstance({
      config: { mcp: true, fail_open_request: true },
      request: failing('provider_unreachable'),
    });
    const request = post({ jsonrpc: '2.0', id: 7, method: 'tools/call', params });
    const gateway = fakeGateway({ reading: () => ({ request }) });
    await accessPhase(instance, gateway, {});
    const deed = onlyOne(gateway.deeds);
    expect(deed.did === 'permit' && JSON.parse(text(deed.changes.body) ?? '')).toMatchObject({
      params: { name: 'x' },
    });
    expect(deed.did === 'permit' && text(deed.changes.body)).not.toContain('ping-auth-approval');
  });

  it('in the response phase is a plain denial with a note', async () => {
    const body = JSON.stringify({ message: 'No.', approval_url: URL });
    const { sent, decision } = await respond(response('{"jsonrpc":"2.0","id":7,"result":{}}'), {
      change: () => ({ response_code: '403', body }),
    });
    expect(JSON.parse(text(sent?.body) ?? '')).toMatchObject({
      error: { message: 'No.', data: { status: 403 } },
    });
    expect(decision?.notes).toEqual([{ what: 'approval_url', name: 'in the response phase' }]);
  });
});

const failingAnswer = failing('provider_unreachable');
