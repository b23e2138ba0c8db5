import { Agent, fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type PolicyProvider, startPolicyProvider } from './server.js';

let provider: PolicyProvider;
let dispatcher: Agent;
beforeEach(async () => {
  provider = await startPolicyProvider({
    rules: [
      { name: 'ask', match: { header: { 'mcp-name': 'delete' } }, approve: { message: '<b>Delete</b>?' } },
      { name: 'no', match: { header: { 'x-blocked': '*' } }, deny: { status: 418 } },
    ],
  });
  dispatcher = new Agent({ connect: { ca: provider.ca } });
});
afterEach(async () => {
  await dispatcher.close();
  await provider.close();
});

const BODY = '{"method":"tools/call","params":{"name":"delete","arguments":{"id":"<script>"}}}';

/** Status and body of the denial; undefined for a permit. */
async function ask(headers: Record<string, string> = {}) {
  const all = { authorization: 'Bearer ada', 'mcp-name': 'delete', 'mcp-arguments-digest': 'd1', ...headers };
  const payload = {
    ...{ source_ip: '192.0.2.7', source_port: 1, method: 'POST', url: 'http://gw.example:8000/mcp' },
    ...{ http_version: '1.1', body: BODY },
    headers: Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [{ [name]: value }])),
  };
  const response = await fetch(`${provider.url}/sideband/request`, {
    ...{ method: 'POST', dispatcher, body: JSON.stringify(payload) },
    headers: { 'content-type': 'application/json', 'client-token': 'x' },
  });
  const { response: denial } = (await response.json()) as {
    response?: { response_code: number; body: string };
  };
  return (
    denial && {
      status: denial.response_code,
      ...(JSON.parse(denial.body || '{}') as { approval_url?: string }),
    }
  );
}

async function onPage(url: string | undefined, form?: Record<string, string>) {
  const body = form && new URLSearchParams(form);
  const response = await fetch(url ?? '', {
    dispatcher,
    method: body ? 'POST' : 'GET',
    ...(body && { body }),
  });
  return { status: response.status, text: await response.text() };
}
const YES = { person: 'Bearer ada', decision: 'approve' };

describe('a rule with approve', () => {
  it('denies with a page until the person approves there, and is used up by the permit', async () => {
    const denied = await ask();
    expect(denied).toMatchObject({ status: 403, message: '<b>Delete</b>?' });
    expect((await ask())?.approval_url).toBe(denied?.approval_url);
    const page = await onPage(denied?.approval_url);
    expect(page.text).toContain('&#60;b&#62;Delete');
    expect(page.text).not.toMatch(/<script|<b>Delete|Bearer ada/);
    expect((await onPage(denied?.approval_url, { ...YES, person: 'Bearer eve' })).status).toBe(403);
    expect(await ask()).toBeDefined();
    expect((await onPage(denied?.approval_url, YES)).status).toBe(200);
    expect(await ask({ 'mcp-arguments-digest': 'd2' })).toBeDefined();
    expect(await ask({ authorization: 'Bearer eve' })).toBeDefined();
    expect(await ask()).toBeUndefined();
    expect(await ask()).toBeDefined();
    expect((await onPage(denied?.approval_url)).status).toBe(404);
  });

  it('names no page without a digest, or once the user declined', async () => {
    for (const headers of [{ 'mcp-arguments-digest': '' }, { 'mcp-approval-response': 'decline' }]) {
      const denied = await ask(headers);
      expect([denied?.status, denied?.approval_url]).toEqual([403, undefined]);
    }
  });

  it('is not used up by a call that another rule denies', async () => {
    await onPage((await ask())?.approval_url, YES);
    expect(await ask({ 'x-blocked': '1' })).toMatchObject({ status: 418 });
    expect(await ask()).toBeUndefined();
  });

  it('forgets a declined request', async () => {
    const url = (await ask())?.approval_url;
    expect((await onPage(url, { ...YES, decision: 'decline' })).text).toContain('Declined');
    expect((await onPage(url, YES)).status).toBe(404);
    expect((await ask())?.approval_url).not.toBe(url);
  });
});
