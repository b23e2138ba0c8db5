import { styleText } from 'node:util';
import type { ToolOutcome } from '../mcp/agent.js';
import { answerOnPage } from '../mcp/approve.js';
import { connectModernAgent } from '../mcp/modern-agent.js';
import type { SidebandCall } from '../policy-provider/call-log.js';
import { callLines, heading, party, reportChecks } from './narrate.js';
import type { DemoStack } from './stack.js';

const ID = 4711;
const OTHER = 4712;
const ADA = 'Bearer ada';

/** What everybody saw of a call that a person approved. */
interface ApprovalTrail {
  /** Messages with which the agent's user was asked to open the page. */
  readonly asked: readonly string[];
  /** How often a tool had run when the page was approved. */
  readonly ranBefore: number;
  readonly deleted: ToolOutcome;
  readonly other: ToolOutcome;
  /** Bodies of the tool calls that the server got. */
  readonly served: readonly string[];
  readonly calls: readonly SidebandCall[];
}

/** What must be true, in words, so that the story came out right. */
const CHECKS: Readonly<Record<string, (trail: ApprovalTrail) => boolean>> = {
  'the policy denied the call and named a page; the agent asked its user': ({ asked, calls }) =>
    calls[0]?.decision === 'deny' && asked[0] === 'Deleting a customer needs your approval.',
  'nothing ran before the person had approved': ({ ranBefore }) => ranBefore === 0,
  'then the policy was asked again, and the customer was deleted': ({ deleted }) =>
    deleted.text === `deleted ${ID}`,
  'the server got the call once, and nothing of the approval': ({ served }) =>
    served.length === 1 && !served[0]?.includes('ping-auth'),
  'another customer is another call: not approved': ({ other }) =>
    other.error?.includes('The user declined') === true,
};

/** An agent wants to delete a customer; a person has to approve on a page. Returns whether all is as it should be. */
export async function tellApprovalStory(number: number, stack: DemoStack): Promise<boolean> {
  heading(`${number}  An agent asks its user (approval by a person)`);
  const { modernServer, provider, ca } = stack;
  const asked: string[] = [];
  let ranBefore = -1;
  const agent = await connectModernAgent(`${stack.kongUrl}/customers`, {
    headers: { authorization: ADA },
    onPage: async (url, message) => {
      asked.push(message);
      party('agent’s user', [`is asked: ${message}`, `opens ${url}`]);
      if (asked.length > 1) {
        party('', ['declines']);
        return 'decline';
      }
      ranBefore = modernServer.ran().length;
      const { status, page } = await answerOnPage(url, { ca, person: ADA });
      const isShown = page.includes('delete_customer') && page.includes(String(ID));
      party('', [`sees ${isShown ? `delete_customer ${ID}` : 'nothing'}, approves: ${status}`]);
      return 'accept';
    },
  });
  try {
    const callsBefore = (await provider().calls()).length;
    const attempt = async (id: number): Promise<ToolOutcome> => {
      const before = (await provider().calls()).length;
      party('agent asked', [`delete_customer ${id}`]);
      const outcome = await agent.call('delete_customer', { id });
      party('policy said', (await provider().calls()).slice(before).flatMap(callLines));
      party('agent got', [outcome.text ?? styleText('dim', outcome.error ?? '')]);
      console.log();
      return outcome;
    };
    const deleted = await attempt(ID);
    const other = await attempt(OTHER);
    const served = modernServer.received().filter((body) => body.includes('tools/call'));
    const calls = (await provider().calls()).slice(callsBefore);
    return reportChecks(CHECKS, { asked, ranBefore, deleted, other, served, calls });
  } finally {
    await agent.client.close();
  }
}
