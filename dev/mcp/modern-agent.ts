import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { ToolOutcome } from './agent.js';

/** What the agent's user does when the client asks them something; for a form, its content. */
export type UserAnswer = 'accept' | 'decline' | 'cancel' | { readonly content: Record<string, string> };

export interface ModernAgentOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Opens a page that a server, or whoever stands before it, wants the user to see. Without it the client cannot. */
  readonly onPage?: (url: string, message: string) => Promise<UserAnswer>;
  readonly onForm?: (message: string) => Promise<UserAnswer>;
  /** Stands between client and network; for tests. */
  readonly fetch?: typeof fetch;
}

/** The tool-using half of an AI agent of revision 2026-07-28: the official SDK's client, without a model. */
export interface ModernAgent {
  readonly client: Client;
  call(tool: string, input?: Readonly<Record<string, unknown>>): Promise<ToolOutcome>;
}

/** @throws Error when the server, or whoever stands before it, refuses. */
export async function connectModernAgent(
  url: string,
  { headers, onPage, onForm, fetch }: ModernAgentOptions = {},
): Promise<ModernAgent> {
  const elicitation = { ...(onPage && { url: {} }), ...(onForm && { form: {} }) };
  const client = new Client(
    { name: 'agent', version: '1.0.0' },
    {
      versionNegotiation: { mode: 'auto' },
      capabilities: onPage || onForm ? { elicitation } : {},
    },
  );
  if (onPage || onForm) {
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      const answer =
        params.mode === 'url' ? await onPage?.(params.url, params.message) : await onForm?.(params.message);
      return typeof answer === 'object'
        ? { action: 'accept', content: answer.content }
        : { action: answer ?? 'cancel' };
    });
  }
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { ...headers } },
    ...(fetch && { fetch }),
  });
  await client.connect(transport);
  return {
    client,
    call: async (name, input = {}) => {
      try {
        const { content } = await client.callTool({ name, arguments: input });
        return { text: content.map((item) => (item.type === 'text' ? item.text : '')).join('\n') };
      } catch (error) {
        const { code } = error as { code?: unknown };
        return {
          error: error instanceof Error ? error.message : String(error),
          code: typeof code === 'number' ? code : undefined,
        };
      }
    },
  };
}
