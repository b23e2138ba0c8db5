import { describe, expect, it } from 'vitest';
import { type HeaderField, HeaderList } from '../http/headers.js';
import { requestDenialForAgent } from './approval.js';
import { readMcpRequest } from './request.js';

const URL = 'https://approve.example/a/17';
const META = 'io.modelcontextprotocol/';
const JSON_TYPE: HeaderField = ['content-type', 'application/json'];
const REASON = 'Deleting needs a person.';
const TOLD = `${REASON} A person can approve it, and then the same call can be made again: ${URL}`;

interface Case {
  readonly version?: string;
  readonly capabilities?: unknown;
  readonly method?: string;
  readonly params?: object;
  /** A notification has none. */
  readonly isNotification?: boolean;
}

function request({
  version = '2026-07-28',
  capabilities,
  method = 'tools/call',
  params = {},
  isNotification,
}: Case) {
  const isModern = version >= '2026';
  const meta = isModern
    ? { [`${META}protocolVersion`]: version, [`${META}clientCapabilities`]: capabilities }
    : {};
  const about = { name: 'delete', uri: 'a:b', arguments: { id: 1 } };
  const body = JSON.stringify({
    jsonrpc: '2.0',
    ...(isNotification ? {} : { id: 7 }),
    method,
    params: { ...about, ...params, _meta: meta },
  });
  const name = method === 'resources/read' ? 'a:b' : method === 'tools/list' ? undefined : 'delete';
  const headers = HeaderList.from([
    JSON_TYPE,
    ...(version === '' ? [] : [['mcp-protocol-version', version] as const]),
    ...(isModern ? [['mcp-method', method] as const] : []),
    ...(isModern && name !== undefined ? [['mcp-name', name] as const] : []),
  ]);
  const read = readMcpRequest({ method: 'POST', headers }, body, true);
  if (read === undefined) throw new Error('no message');
  return read;
}

const denial = (
  body: object = { message: REASON, approval_url: URL },
  status = 403,
  more: HeaderField[] = [],
) => ({
  status,
  headers: HeaderList.from([JSON_TYPE, ['x-policy', 'p1'], ...more]),
  body: Buffer.from(JSON.stringify(body)),
});
const deny = (one: Case, ...rest: Parameters<typeof denial>) => {
  const { response, ...about } = requestDenialForAgent(denial(...rest), request(one));
  return {
    ...about,
    status: response.status,
    headers: response.headers,
    body: JSON.parse(Buffer.from(response.body).toString()),
  };
};
const URL_MODE = { elicitation: { form: {}, url: {} } };

describe('a denial that names a page for an approval', () => {
  it.each(['tools/call', 'prompts/get', 'resources/read'])(
    'has a client of 2026-07-28 open it: %s',
    (method) => {
      const { status, headers, body, offer } = deny({ method, capabilities: URL_MODE });
      expect([offer, status]).toEqual(['input_required', 200]);
      expect(body).toEqual({
        jsonrpc: '2.0',
        id: 7,
        result: {
          resultType: 'input_required',
          inputRequests: {
            'ping-auth-approval': {
              method: 'elicitation/create',
              params: { mode: 'url', url: URL, message: REASON },
            },
          },
          requestState: expect.stringMatching(/^ping-auth-approval\.1\./) as string,
        },
      });
      expect(Object.fromEntries(headers)).toEqual({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'x-policy': 'p1',
      });
    },
  );

  it('is the error that asks for it in 2025-11-25, with words for clients that do not know it', () => {
    const { body, offer, status } = deny({ version: '2025-11-25' });
    expect([offer, status]).toEqual(['elicitation_required', 200]);
    expect(body.error).toEqual({
      code: -32042,
      message: TOLD,
      data: {
        status: 403,
        elicitations: [
          { mode: 'url', url: URL, message: REASON, elicitationId: expect.any(String) as string },
        ],
      },
    });
  });

  it.each<[string, Case]>([
    ['of 2025-06-18', { version: '2025-06-18' }],
    ['that names no version', { version: '' }],
    ['without capabilities', {}],
    ['that only shows forms', { capabilities: { elicitation: {} } }],
    ['with a malformed capability', { capabilities: { elicitation: { url: true } } }],
    ['with malformed capabilities', { capabilities: [URL_MODE] }],
    ['with malformed elicitation', { capabilities: { elicitation: ['url'] } }],
    ['in another method', { method: 'tools/list', capabilities: URL_MODE }],
    ['in another method of 2025-11-25', { method: 'tools/list', version: '2025-11-25' }],
    ...['decline', 'cancel'].map((action): [string, Case] => [
      `whose user said ${action}`,
      { capabilities: URL_MODE, params: { inputResponses: { 'ping-auth-approval': { action } } } },
    ]),
  ])('tells the model, with a client %s', (_what, one) => {
    const { body, offer, headers } = deny(one, { message: REASON }, 403, [['approval-url', URL]]);
    expect(offer).toBe('told');
    expect(body.error).toEqual({ code: 403, message: TOLD, data: { status: 403, approval_url: URL } });
    expect(headers.has('approval-url')).toBe(false);
  });

  it('needs no reason', () => {
    const { body } = deny({ capabilities: URL_MODE }, { approval_url: URL });
    expect(body.result.inputRequests['ping-auth-approval'].params.message).toBe(
      'This call needs the approval of a person.',
    );
  });

  it('is a plain one when the page is not one to open', () => {
    const javascript = { message: REASON, approval_url: 'javascript:alert(1)' };
    for (const headers of [[], [['approval-url', 'javascript:alert(1)']] as HeaderField[]]) {
      const got = deny({ capabilities: URL_MODE }, javascript, 403, headers);
      expect([got.offer, got.ignored]).toEqual([undefined, 'not https']);
      expect(got.body.error).toEqual({ code: 403, message: REASON, data: { status: 403 } });
      expect(JSON.stringify([got.body, [...got.headers]])).not.toContain('javascript');
    }
  });

  it('stays HTTP where denials do', () => {
    const unauthorised = deny({ capabilities: URL_MODE }, undefined, 401);
    expect(unauthorised).toMatchObject({ status: 401, ignored: 'a denial over HTTP' });
    const challenge = deny({ capabilities: URL_MODE }, undefined, 403, [['www-authenticate', 'Bearer']]);
    expect(challenge).toMatchObject({ status: 403, ignored: 'a denial over HTTP' });
    expect(deny({ capabilities: URL_MODE, isNotification: true })).toMatchObject({ status: 403 });
    expect(deny({ capabilities: URL_MODE }, undefined, 200)).toMatchObject({ status: 200 });
  });

  it('keeps what the request had for the server', () => {
    const params = {
      requestState: 'of the server',
      inputResponses: { form: { action: 'accept', content: { n: 1 } } },
    };
    const { body } = deny({ capabilities: URL_MODE, params });
    const { requestState } = body.result as { requestState: string };
    const answered = { 'ping-auth-approval': { action: 'accept' } };
    const retry = request({ capabilities: URL_MODE, params: { requestState, inputResponses: answered } });
    expect(JSON.parse(retry.text).params).toMatchObject(params);
    expect(retry.isRewritten).toBe(true);
  });
});
