import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

export interface AgentOptions {
  /** Sent with each request: a token, say. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Stands between client and network; for tests. */
  readonly fetch?: FetchLike;
}

/** What a tool call came to: its text, or the error as it reaches the model. */
export type ToolOutcome =
  | { readonly text: string; readonly error?: undefined }
  | { readonly error: string; readonly code: number | undefined; readonly text?: undefined };

/** The tool-using half of an AI agent: the official SDK's client, without a model. */
export interface Agent {
  readonly client: Client;
  toolNames(): Promise<string[]>;
  /** Does not throw for errors of the tool, the server or the gateway: an agent continues. */
  call(tool: string, input?: Readonly<Record<string, unknown>>): Promise<ToolOutcome>;
  /** Ends the session, as clients do that are well-behaved. */
  close(): Promise<void>;
}

/** @throws Error when the server, or whoever stands before it, refuses the handshake. */
export async function connectAgent(url: string, options: AgentOptions = {}): Promise<Agent> {
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    requestInit: { headers: { ...options.headers } },
    ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
  });
  const client = new Client({ name: 'agent', version: '1.0.0' });
  // The SDK's types are not written for exactOptionalPropertyTypes.
  await client.connect(transport as Transport);
  return {
    client,
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input = {}) => {
      try {
        const { content } = await client.callTool({ name, arguments: input }, undefined, {
          onprogress: () => {},
        });
        return { text: textIn(content) };
      } catch (error) {
        const { code } = error as { code?: unknown };
        return {
          error: error instanceof Error ? error.message : String(error),
          code: typeof code === 'number' ? code : undefined,
        };
      }
    },
    close: async () => {
      await transport.terminateSession();
      await client.close();
    },
  };
}

function textIn(content: unknown): string {
  if (!Array.isArray(content)) return '';
  return (content as { text?: string }[]).map(({ text = '' }) => text).join('\n');
}
