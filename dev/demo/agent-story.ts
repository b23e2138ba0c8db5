import { type Agent, connectAgent, type ToolOutcome } from '../mcp/agent.js';
import { CUSTOMER } from '../mcp/mcp-server.js';
import type { SidebandCall } from '../policy-provider/call-log.js';
import { callLines, heading, party, reportChecks } from './narrate.js';
import type { DemoStack } from './stack.js';

/** What an agent came to, and what the others saw of it. */
interface AgentTrail {
  readonly tools: readonly string[];
  readonly read: ToolOutcome;
  readonly deleted: ToolOutcome;
  /** Tools that the server ran. */
  readonly ran: readonly string[];
  readonly calls: readonly SidebandCall[];
}

/** What must be true, in words, so that the story came out right. */
const CHECKS: Readonly<Record<string, (trail: AgentTrail) => boolean>> = {
  'one of the three tools is hidden from the agent': ({ tools }) =>
    tools.join() === 'read_customer,delete_customer',
  'the account number stays inside, though the server answered with an event stream': ({ read }) =>
    read.text === JSON.stringify({ ...CUSTOMER, iban: '***' }),
  'the model is told why it may not delete': ({ deleted }) =>
    deleted.error?.includes('Ask a person') === true,
  'the server ran the one tool that was permitted': ({ ran }) => ran.join() === 'read_customer',
  'the policy had names to decide by, made from the messages': ({ calls }) =>
    calls.some(({ payload }) => JSON.stringify(payload).includes('{"mcp-name":"delete_customer"}')),
};

/** An AI agent on the official SDK, an MCP server on the official SDK, the policy between them. Returns whether all is as it should be. */
export async function tellAgentStory(number: number, stack: DemoStack): Promise<boolean> {
  heading(`${number}  An agent calls tools (MCP)`);
  const agent = await connectAgent(`${stack.kongUrl}/mcp`);
  try {
    const trail = await live(agent, stack);
    return reportChecks(CHECKS, trail);
  } finally {
    await agent.close();
  }
}

async function live(agent: Agent, stack: DemoStack): Promise<AgentTrail> {
  const calls: SidebandCall[] = [];
  const step = async <T>(asked: string, ask: () => Promise<T>, words: (got: T) => string): Promise<T> => {
    const [before, ran] = [(await stack.provider().calls()).length, stack.mcpServer.ran().length];
    const got = await ask();
    const seen = (await stack.provider().calls()).slice(before);
    calls.push(...seen);
    party('agent asked', [asked]);
    party('policy said', seen.flatMap(callLines));
    party('server ran', [stack.mcpServer.ran().slice(ran).join() || 'no tool']);
    party('agent got', [words(got)]);
    console.log();
    return got;
  };
  const outcome = ({ text, error }: ToolOutcome) => text ?? error ?? '';
  const id = CUSTOMER.id;
  const tools = await step(
    'which tools are there?',
    () => agent.toolNames(),
    (names) => names.join(', '),
  );
  const read = await step(`read_customer ${id}`, () => agent.call('read_customer', { id }), outcome);
  const deleted = await step(`delete_customer ${id}`, () => agent.call('delete_customer', { id }), outcome);
  return { tools, read, deleted, ran: stack.mcpServer.ran(), calls };
}
