// A person approves an agent's call, with the official clients of both revisions, through the Kong stand-in and the plugin server.
import { UrlElicitationRequiredError } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectAgent } from '../../dev/mcp/agent.js';
import { answerOnPage } from '../../dev/mcp/approve.js';
import { type RunningMcpServer, startMcpServer } from '../../dev/mcp/mcp-server.js';
import { connectModernAgent, type ModernAgentOptions, type UserAnswer } from '../../dev/mcp/modern-agent.js';
import { type RunningModernServer, startModernServer } from '../../dev/mcp/modern-server.js';
import type { RuleInput } from '../../dev/policy-provider/rules.js';
import { HOSTS } from '../support/hosts.js';
import { type Rig, startRig } from '../support/rig.js';

const MESSAGE = 'Changing a customer needs the approval of a person.';
const RULES: RuleInput[] = ['delete_customer', 'move_customer'].map((name) => ({
  name,
  match: { phase: 'request', header: { 'mcp-method': 'tools/call', 'mcp-name': name } },
  // Moving takes two calls: the server asks for the town.
  approve: { message: MESSAGE, once: name === 'delete_customer' },
}));
const ADA = { authorization: 'Bearer ada' };
const EVE = { authorization: 'Bearer eve' };

describe.each(HOSTS)('approval under %s', (host) => {
  let rig: Rig;
  let legacy: RunningMcpServer;
  let json: RunningModernServer;
  let sse: RunningModernServer;
  const closing: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    legacy = await startMcpServer();
    json = await startModernServer();
    sse = await startModernServer('sse');
    const mcp = { mcp: true };
    rig = await startRig({
      host,
      rules: RULES,
      routes: [
        { paths: ['/legacy'], config: mcp, upstream: legacy.url },
        { paths: ['/json'], config: mcp, upstream: json.url },
        { paths: ['/sse'], config: mcp, upstream: sse.url },
      ],
    });
  });
  afterAll(async () => {
    for (const close of closing) await close();
    await rig?.close();
    for (const server of [legacy, json, sse]) await server?.close();
  });
  beforeEach(() => rig.setRules(RULES));

  const person = ({ authorization }: { authorization: string }) => ({ ca: rig.ca, person: authorization });
  const modern = async (path: string, options: ModernAgentOptions) => {
    const agent = await connectModernAgent(`${rig.kongUrl}${path}`, { headers: ADA, ...options });
    closing.push(() => agent.client.close());
    return agent;
  };
  const oldAgent = async (headers: Record<string, string> = ADA) => {
    const agent = await connectAgent(`${rig.kongUrl}/legacy`, { headers });
    closing.push(() => agent.client.close());
    return agent;
  };
  /** The URL in what the model is told. */
  const urlIn = (error: string | undefined) => /https:\S+/.exec(error ?? '')?.[0] ?? '';

  it.each(['/json', '/sse'])(
    'the client of 2026-07-28 asks its user, and the call goes through: %s',
    async (path) => {
      const server = path === '/json' ? json : sse;
      const [ran, before] = [server.ran().length, server.received().length];
      const seen: string[] = [];
      const agent = await modern(path, {
        onPage: async (url, message): Promise<UserAnswer> => {
          seen.push(message);
          // The first time the user only opens the page.
          if (seen.length > 1) await answerOnPage(url, person(ADA));
          return 'accept';
        },
      });
      expect(await agent.call('delete_customer', { id: 1 })).toEqual({ text: 'deleted 1' });
      expect(seen).toEqual([MESSAGE, MESSAGE]);
      expect(server.ran().slice(ran)).toEqual(['delete_customer']);
      const calls = server
        .received()
        .slice(before)
        .filter((body) => body.includes('tools/call'));
      expect(calls).toHaveLength(1);
      expect(calls[0]).not.toMatch(/ping-auth|inputResponses|requestState/);
      // Used up: the same again is asked about again.
      seen.length = 0;
      expect(await agent.call('delete_customer', { id: 1 })).toEqual({ text: 'deleted 1' });
      expect(seen).toHaveLength(2);
    },
  );

  it('a server that asks something itself works together with an approval', async () => {
    const before = json.received().length;
    const asked: string[] = [];
    const agent = await modern('/json', {
      onPage: async (url) => {
        asked.push('page');
        await answerOnPage(url, person(ADA));
        return 'accept';
      },
      onForm: async (message) => {
        asked.push(message);
        return { content: { town: 'Bern' } };
      },
    });
    expect(await agent.call('move_customer', { id: 7 })).toEqual({ text: 'moved 7 to Bern' });
    expect(asked).toEqual(['page', 'Where to?']);
    const calls = json
      .received()
      .slice(before)
      .filter((body) => body.includes('tools/call'));
    expect(calls).toHaveLength(2);
    expect(calls[1]).toContain('"requestState":"asked for the town"');
    for (const call of calls) expect(call).not.toContain('ping-auth');
  });

  it('an approval that comes after the server has asked keeps its question answered', async () => {
    await rig.setRules([]);
    const asked: string[] = [];
    const agent = await modern('/json', {
      onPage: async (url) => {
        asked.push('page');
        await answerOnPage(url, person(ADA));
        return 'accept';
      },
      onForm: async () => {
        asked.push('form');
        await rig.setRules(RULES);
        return { content: { town: 'Chur' } };
      },
    });
    expect(await agent.call('move_customer', { id: 8 })).toEqual({ text: 'moved 8 to Chur' });
    expect(asked).toEqual(['form', 'page']);
  });

  it.each(['decline', 'cancel'] as const)(
    'a user who says %s is not asked again, and the model learns it',
    async (answer) => {
      const ran = json.ran().length;
      let asked = 0;
      const agent = await modern('/json', {
        onPage: async () => {
          asked += 1;
          return answer;
        },
      });
      const { error } = await agent.call('delete_customer', { id: 2 });
      expect(error).toContain('The user declined.');
      expect([asked, json.ran().length]).toEqual([1, ran]);
    },
  );

  it('a client without a browser tells its model', async () => {
    const ran = json.ran().length;
    const agent = await modern('/json', {});
    const { error } = await agent.call('delete_customer', { id: 3 });
    expect(error).toContain(MESSAGE);
    await answerOnPage(urlIn(error), person(ADA));
    expect((await agent.call('delete_customer', { id: 33 })).error).toContain(MESSAGE);
    expect(json.ran().length).toBe(ran);
    expect((await agent.call('delete_customer', { id: 3 })).text).toBe('deleted 3');
  });

  it('the client of 2025-11-25 gets the error that names the page, and calls again', async () => {
    const ran = legacy.ran().length;
    const agent = await oldAgent();
    const call = () => agent.client.callTool({ name: 'delete_customer', arguments: { id: 4 } });
    const error = await call().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UrlElicitationRequiredError);
    const [elicitation] = (error as UrlElicitationRequiredError).elicitations;
    expect(elicitation).toMatchObject({ mode: 'url', message: MESSAGE });
    expect((await answerOnPage(elicitation?.url ?? '', person(EVE))).status).toBe(403);
    await expect(call()).rejects.toThrow(MESSAGE);
    await answerOnPage(elicitation?.url ?? '', person(ADA));
    // Of another person, or with other arguments, it is none.
    expect((await (await oldAgent(EVE)).call('delete_customer', { id: 4 })).error).toContain(MESSAGE);
    expect((await agent.call('delete_customer', { id: 5 })).error).toContain(MESSAGE);
    expect(legacy.ran().length).toBe(ran);
    expect(await agent.call('delete_customer', { id: 4 })).toEqual({ text: 'deleted 4' });
    expect((await agent.call('delete_customer', { id: 4 })).error).toContain(MESSAGE);
    expect(legacy.ran().slice(ran)).toEqual(['delete_customer']);
  });

  it('a list that anybody may cache is private behind the gateway', async () => {
    for (const path of ['/json', '/sse']) {
      const bodies: string[] = [];
      const agent = await modern(path, {
        fetch: async (url, init) => {
          const response = await fetch(url, init);
          if (String(init?.body).includes('tools/list')) {
            bodies.push(await response.clone().text());
            expect(response.headers.get('cache-control')).toBe('no-store');
          }
          return response;
        },
      });
      await agent.client.listTools();
      expect(bodies).toEqual([expect.stringMatching(/"ttlMs":300000/)]);
      expect(bodies[0]).toContain('"cacheScope":"private"');
    }
  });
});
