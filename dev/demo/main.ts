import { randomUUID } from 'node:crypto';
import { styleText } from 'node:util';
import { Command } from 'commander';
import { sendRequest } from '../http-client.js';
import { tellAgentStory } from './agent-story.js';
import { tellApprovalStory } from './approval-story.js';
import { startInspectPage } from './inspect-page.js';
import { type Landscape, startLandscape } from './landscape.js';
import { heading, tell } from './narrate.js';
import { tellShadowStory } from './shadow-story.js';
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
  const landscape = await startLandscape({
    kong: port(flags.kongPort, 8000),
    provider: port(flags.providerPort, 3020),
    upstream: port(flags.upstreamPort, 9000),
  });
  const page = flags.once
    ? undefined
    : await startInspectPage(landscape.logFile, port(flags.inspectPort, 7878)).catch(
        async (error: unknown) => {
          await landscape.close();
          throw error;
        },
      );
  let stopping = false;
  const stop = async (code: number) => {
    if (stopping) return;
    stopping = true;
    await page?.end();
    await landscape.close();
    process.exit(code);
  };
  // Not once: Ctrl-C comes twice where npm passes on what the terminal has sent to both.
  process.on('SIGINT', () => void stop(0)).on('SIGTERM', () => void stop(0));

  introduce(landscape);
  let right = 0;
  for (const [index, story] of STORIES.entries()) {
    if (tell(index + 1, story, await live(landscape, story))) right += 1;
  }
  const count = STORIES.length + 3;
  if (await tellShadowStory(count - 2, landscape)) right += 1;
  if (await tellAgentStory(count - 1, landscape)) right += 1;
  if (await tellApprovalStory(count, landscape)) right += 1;
  const allRight = right === count;
  const sum = `${right} of ${count} stories came out right`;
  console.log(`\n${styleText(allRight ? 'green' : 'red', sum)}`);
  if (!allRight) console.log(landscape.kongOutput());
  if (flags.once) await stop(allRight ? 0 : 1);
  invite(landscape, page?.url() ?? '');
}

/** Sends a story's request and gathers what everybody saw of it. */
async function live(landscape: Landscape, story: Story): Promise<Trail> {
  if (story.providerDown) await landscape.shootProvider();
  const id = randomUUID();
  const sent = { ...story.request, headers: [...(story.request.headers ?? []), ['X-Test-Id', id] as const] };
  const callsBefore = story.providerDown ? 0 : (await landscape.provider().calls()).length;
  const got = await sendRequest(landscape.kongUrl, sent);
  const calls = story.providerDown ? [] : (await landscape.provider().calls()).slice(callsBefore);
  const upstream = (await landscape.upstreamRequests()).filter((request) => request.id === id);
  if (story.providerDown) await landscape.reviveProvider();
  return { sent: story.request, calls, upstream, got };
}

function introduce(landscape: Landscape): void {
  console.log(
    `${styleText('bold', 'ping-auth demo')}: a stand-in for Kong and a stand-in for PingAccess; only the plugin server is the real thing.`,
  );
  console.log(`
  client ──▶ Kong stand-in  ${landscape.kongUrl} ──▶ upstream ${landscape.upstreamUrl}
                  │ unix socket
             plugin server  dist/bin/ping-auth-pluginserver.mjs
                  │ sideband calls
           policy provider  ${landscape.providerUrl}, rules in dev/demo/rules.yaml

  /bank leads to the upstream, /mcp and /customers to MCP servers  ${landscape.mcpServer.url}  ${landscape.modernServer.url}`);
}

function invite(landscape: Landscape, pageUrl: string): void {
  const { kongUrl } = landscape;
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

  kill -9 ${landscape.provider().pid}   # the policy provider; after that everything is refused

  kong.conf and kong.yml are in ${landscape.folder}
  Ctrl-C ends everything.`);
}

main().catch((error: unknown) => {
  console.error(styleText('red', error instanceof Error ? error.message : String(error)));
  process.exit(1);
});
