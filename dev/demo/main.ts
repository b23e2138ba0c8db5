import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { Command } from 'commander';
import { sendRequest } from '../http-client.js';
import { tellAgentStory } from './agent-story.js';
import { tellApprovalStory } from './approval-story.js';
import { startInspectPage } from './inspect-page.js';
import { heading, tell } from './narrate.js';
import { tellShadowStory } from './shadow-story.js';
import { type DemoStack, startDemoStack } from './stack.js';
import { STORIES, type Story, type Trail } from './stories.js';

interface Flags {
  once?: true;
  kongPort?: string;
  providerPort?: string;
  upstreamPort?: string;
  inspectPort?: string;
}

const flags = new Command('demo')
  .description(
    'Starts a Kong stand-in, the plugin server, a policy provider and an upstream, and tells their story.',
  )
  .option(
    '--once',
    'ends after the stories; exit code 0 only if every one came out right. Free ports unless given',
  )
  .option('--kong-port <number>', 'default 8000')
  .option('--provider-port <number>', 'default 3020')
  .option('--upstream-port <number>', 'default 9000')
  .option('--inspect-port <number>', 'of the page that shows the requests; default 7878')
  .parse()
  .opts<Flags>();

async function main(): Promise<void> {
  const port = (given: string | undefined, usual: number) => Number(given ?? (flags.once ? 0 : usual));
  const stack = await startDemoStack({
    kong: port(flags.kongPort, 8000),
    provider: port(flags.providerPort, 3020),
    upstream: port(flags.upstreamPort, 9000),
  });
  const page = flags.once
    ? undefined
    : await startInspectPage(stack.logFile, port(flags.inspectPort, 7878)).catch(async (error: unknown) => {
        await stack.close();
        throw error;
      });
  let stopping = false;
  const stop = async (code: number) => {
    if (stopping) return;
    stopping = true;
    await page?.end();
    await stack.close();
    process.exit(code);
  };
  // Not once: Ctrl-C comes twice where npm passes on what the terminal has sent to both.
  process.on('SIGINT', () => void stop(0)).on('SIGTERM', () => void stop(0));

  introduce(stack);
  let right = 0;
  for (const [index, story] of STORIES.entries()) {
    if (tell(index + 1, story, await live(stack, story))) right += 1;
  }
  const count = STORIES.length + 3;
  if (await tellShadowStory(count - 2, stack)) right += 1;
  if (await tellAgentStory(count - 1, stack)) right += 1;
  if (await tellApprovalStory(count, stack)) right += 1;
  const allRight = right === count;
  const sum = `${right} of ${count} stories came out right`;
  console.log(`\n${styleText(allRight ? 'green' : 'red', sum)}`);
  if (!allRight) console.log(stack.kongOutput());
  if (flags.once) await stop(allRight ? 0 : 1);
  invite(stack, page?.url() ?? '');
}

/** Sends a story's request and gathers what everybody saw of it. */
async function live(stack: DemoStack, story: Story): Promise<Trail> {
  if (story.providerDown) await stack.shootProvider();
  const id = randomUUID();
  const sent = { ...story.request, headers: [...(story.request.headers ?? []), ['X-Test-Id', id] as const] };
  const callsBefore = story.providerDown ? 0 : (await stack.provider().calls()).length;
  const got = await sendRequest(stack.kongUrl, sent);
  const calls = story.providerDown ? [] : (await stack.provider().calls()).slice(callsBefore);
  const upstream = (await stack.upstreamRequests()).filter((request) => request.id === id);
  if (story.providerDown) await stack.reviveProvider();
  return { sent: story.request, calls, upstream, got };
}

function introduce(stack: DemoStack): void {
  console.log(
    `${styleText('bold', 'ping-auth demo')}: a stand-in for Kong and a stand-in for PingAccess; only the plugin server is the real thing.`,
  );
  console.log(`
  client ──▶ Kong stand-in  ${stack.kongUrl} ──▶ upstream ${stack.upstreamUrl}
                  │ unix socket
             plugin server  dist/bin/ping-auth-pluginserver.mjs
                  │ sideband calls
           policy provider  ${stack.providerUrl}, rules in dev/demo/rules.yaml

  /bank leads to the upstream, /mcp and /customers to MCP servers  ${stack.mcpServer.url}  ${stack.modernServer.url}`);
}

function invite(stack: DemoStack, pageUrl: string): void {
  const { kongUrl } = stack;
  heading('Now you');
  console.log(`
  ${styleText('bold', pageUrl)}
  shows each of these requests' way, and yours as they come (ping-auth inspect). The link works once.

  curl -i ${kongUrl}/bank/accounts
  curl -i ${kongUrl}/bank/accounts -H 'Authorization: Bearer ada'
  curl -i ${kongUrl}/bank/accounts/7 -H 'Authorization: Bearer guest' -X DELETE
  curl -i ${kongUrl}/bank/profile -H 'Authorization: Bearer ada'
  curl -i '${kongUrl}/bank/transfers?trace=1' -H 'Authorization: Bearer ada' -H 'X-Debug: 1' --json '{"amount":5,"fee":1}'
  curl -i ${kongUrl}/mcp --json '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_customer"}}'

  kill -9 ${stack.provider().pid}   # the policy provider; after that everything is refused

  kong.conf and kong.yml are in ${stack.folder}
  Ctrl-C ends everything.`);
}

main().catch((error: unknown) => {
  console.error(styleText('red', error instanceof Error ? error.message : String(error)));
  process.exit(1);
});
